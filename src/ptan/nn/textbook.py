"""The Q-networks that the field's textbooks name: `QNetwork` with its switches set.

Parts and parameters are called what published code calls them (`conv.0.weight`, `fc.2.bias`,
`fc_adv.0.sigma_weight`), so that weights saved there can be loaded here.
"""

from typing import TypedDict, Unpack

from torch import nn

from ptan.nn.bodies import Hidden, LinearLayer
from ptan.nn.noisy import NoisyLinear
from ptan.nn.q_network import Actions, Observations, QNetwork
from ptan.nn.spaces import read_observations

__all__ = ["QMLP", "DQNNet", "DistributionalDQN", "DuelingDQN", "NoisyDQN", "RainbowDQN"]


class _Details(TypedDict, total=False):
    n_atoms: int
    v_min: float
    v_max: float
    hidden: Hidden | None
    noisy_layer: LinearLayer


class DQNNet(QNetwork):
    """The network of DQN (Mnih et al. 2015): `conv`, and `fc` with 512 hidden units.

    Args:
        input_shape: Shape of one observation, or the observation space; see `QNetwork`.
        n_actions: Number of actions A, or the `Discrete` space.
        hidden: Widths of the fully connected layers; see `QNetwork`.
        body: A body of your own in place of `conv`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no body fits the observations, or a number outside its range.
    """

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
    ) -> None:
        super().__init__(input_shape, n_actions, hidden=hidden, body=body)


class DuelingDQN(QNetwork):
    """The dueling network (Wang et al. 2016): `conv`, `fc_adv` and `fc_val`, each 256 wide.

    Args:
        input_shape: Shape of one observation, or the observation space; see `QNetwork`.
        n_actions: Number of actions A, or the `Discrete` space.
        hidden: Widths of the fully connected layers; see `QNetwork`.
        body: A body of your own in place of `conv`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no body fits the observations, or a number outside its range.
    """

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
    ) -> None:
        super().__init__(input_shape, n_actions, dueling=True, hidden=hidden, body=body)


class NoisyDQN(QNetwork):
    """DQN's network with noisy fully connected layers (Fortunato et al. 2018).

    Args:
        input_shape: Shape of one observation, or the observation space; see `QNetwork`.
        n_actions: Number of actions A, or the `Discrete` space.
        hidden: Widths of the fully connected layers; see `QNetwork`.
        body: A body of your own in place of `conv`.
        noisy_layer: Makes a noisy layer from its numbers of inputs and outputs.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no body fits the observations, or a number outside its range.
    """

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
        noisy_layer: LinearLayer = NoisyLinear,
    ) -> None:
        super().__init__(
            input_shape, n_actions, noisy=True, hidden=hidden, body=body, noisy_layer=noisy_layer
        )


class DistributionalDQN(QNetwork):
    """The network of categorical DQN (Bellemare et al. 2017): (B, A, atoms) logits.

    Args:
        input_shape: Shape of one observation, or the observation space; see `QNetwork`.
        n_actions: Number of actions A, or the `Discrete` space.
        n_atoms: Number of atoms, at least 2.
        v_min: Value of the first atom, in units of the return.
        v_max: Value of the last.
        hidden: Widths of the fully connected layers; see `QNetwork`.
        body: A body of your own in place of `conv`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no body fits the observations, or a number outside its range.
    """

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        n_atoms: int = 51,
        v_min: float = -10.0,
        v_max: float = 10.0,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
    ) -> None:
        super().__init__(
            input_shape,
            n_actions,
            distributional=True,
            n_atoms=n_atoms,
            v_min=v_min,
            v_max=v_max,
            hidden=hidden,
            body=body,
        )


class RainbowDQN(QNetwork):
    """The network of Rainbow (Hessel et al. 2018): dueling and noisy, with or without atoms.

    Args:
        input_shape: Shape of one observation, or the observation space; see `QNetwork`.
        n_actions: Number of actions A, or the `Discrete` space.
        dueling: Whether value and advantage have heads of their own.
        noisy: Whether the heads are noisy.
        distributional: Whether the outputs are (B, A, atoms) logits instead of (B, A) values.
        body: A body of your own in place of `conv`.
        **options: `n_atoms`, `v_min`, `v_max`, `hidden` and `noisy_layer` of `QNetwork`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no body fits the observations, or a number outside its range.
    """

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        dueling: bool = True,
        noisy: bool = True,
        distributional: bool = False,
        body: nn.Module | None = None,
        **options: Unpack[_Details],
    ) -> None:
        super().__init__(
            input_shape,
            n_actions,
            dueling=dueling,
            noisy=noisy,
            distributional=distributional,
            body=body,
            **options,
        )


class QMLP(QNetwork):
    """A Q-network of fully connected layers, for vector observations: CartPole and its kind.

    Args:
        observation_space: A box of one environment, or a shape such as (4,); more axes are
            flattened, three, an image, are refused.
        action_space: `Discrete`, of one environment; or the number of actions A.
        dueling: Whether value and advantage have heads of their own.
        noisy: Whether the heads are noisy.
        distributional: Whether the outputs are (B, A, atoms) logits instead of (B, A) values.
        **options: `n_atoms`, `v_min`, `v_max`, `hidden` and `noisy_layer` of `QNetwork`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: observations that are no vector, or a number outside its range.
    """

    def __init__(
        self,
        observation_space: Observations,
        action_space: Actions,
        *,
        dueling: bool = False,
        noisy: bool = False,
        distributional: bool = False,
        **options: Unpack[_Details],
    ) -> None:
        if read_observations(observation_space).is_image:
            raise ValueError(
                f"QMLP is for vectors, got {observation_space}; make_q_network chooses the body "
                "for an image"
            )
        super().__init__(
            observation_space,
            action_space,
            dueling=dueling,
            noisy=noisy,
            distributional=distributional,
            **options,
        )
