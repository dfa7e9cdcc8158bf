"""The Q-networks that the field's textbooks name: `QNetwork` with its switches set.

They take the arguments of `QNetwork` and raise what it raises; `input_shape` is a shape or a space.

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


class _Body(TypedDict, total=False):
    hidden: Hidden | None
    body: nn.Module | None


class _Details(TypedDict, total=False):
    n_atoms: int
    v_min: float
    v_max: float
    hidden: Hidden | None
    noisy_layer: LinearLayer


class DQNNet(QNetwork):
    """The network of DQN (Mnih et al. 2015): `conv`, and `fc` with 512 hidden units."""

    def __init__(
        self, input_shape: Observations, n_actions: Actions, **options: Unpack[_Body]
    ) -> None:
        super().__init__(input_shape, n_actions, **options)


class DuelingDQN(QNetwork):
    """The dueling network (Wang et al. 2016): `conv`, `fc_adv` and `fc_val`, each 256 wide."""

    def __init__(
        self, input_shape: Observations, n_actions: Actions, **options: Unpack[_Body]
    ) -> None:
        super().__init__(input_shape, n_actions, dueling=True, **options)


class NoisyDQN(QNetwork):
    """DQN's network with noisy fully connected layers (Fortunato et al. 2018)."""

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        noisy_layer: LinearLayer = NoisyLinear,
        **options: Unpack[_Body],
    ) -> None:
        super().__init__(input_shape, n_actions, noisy=True, noisy_layer=noisy_layer, **options)


class DistributionalDQN(QNetwork):
    """The network of categorical DQN (Bellemare et al. 2017): (B, A, atoms) logits."""

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        n_atoms: int = 51,
        v_min: float = -10.0,
        v_max: float = 10.0,
        **options: Unpack[_Body],
    ) -> None:
        super().__init__(
            input_shape,
            n_actions,
            distributional=True,
            n_atoms=n_atoms,
            v_min=v_min,
            v_max=v_max,
            **options,
        )


class RainbowDQN(QNetwork):
    """The network of Rainbow (Hessel et al. 2018): dueling and noisy, with or without atoms."""

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

    Several axes are flattened; three, an image, raise ValueError.
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
                f"QMLP is for vectors, got {observation_space}; QNetwork chooses the body "
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
