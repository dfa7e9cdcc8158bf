"""The Q-networks that the field's textbooks name: `QNetwork` with its switches set.

They take the arguments of `QNetwork` and raise what it raises; `input_shape` is a shape or a space.

Parts and parameters are called what published code calls them (`conv.0.weight`, `fc.2.bias`,
`fc_adv.0.sigma_weight`), so that weights saved there can be loaded here.
"""

from typing import Unpack

from ptan.nn.q_network import Options, QNetwork
from ptan.nn.spaces import SpaceOrCount, SpaceOrShape, read_observations


class _Switches(Options, total=False):
    dueling: bool
    noisy: bool
    distributional: bool


class DQNNet(QNetwork):
    """The network of DQN (Mnih et al. 2015): `conv`, and `fc` with 512 hidden units."""

    def __init__(
        self, input_shape: SpaceOrShape, n_actions: SpaceOrCount, **options: Unpack[Options]
    ) -> None:
        super().__init__(input_shape, n_actions, **options)


class DuelingDQN(QNetwork):
    """The dueling network (Wang et al. 2016): `conv`, `fc_adv` and `fc_val`, each 256 wide."""

    def __init__(
        self, input_shape: SpaceOrShape, n_actions: SpaceOrCount, **options: Unpack[Options]
    ) -> None:
        super().__init__(input_shape, n_actions, dueling=True, **options)


class NoisyDQN(QNetwork):
    """DQN's network with noisy fully connected layers (Fortunato et al. 2018)."""

    def __init__(
        self, input_shape: SpaceOrShape, n_actions: SpaceOrCount, **options: Unpack[Options]
    ) -> None:
        super().__init__(input_shape, n_actions, noisy=True, **options)


class DistributionalDQN(QNetwork):
    """The network of categorical DQN (Bellemare et al. 2017): (B, A, atoms) logits."""

    def __init__(
        self, input_shape: SpaceOrShape, n_actions: SpaceOrCount, **options: Unpack[Options]
    ) -> None:
        super().__init__(input_shape, n_actions, distributional=True, **options)


class RainbowDQN(QNetwork):
    """The network of Rainbow (Hessel et al. 2018): dueling and noisy, with or without atoms."""

    def __init__(
        self,
        input_shape: SpaceOrShape,
        n_actions: SpaceOrCount,
        *,
        dueling: bool = True,
        noisy: bool = True,
        distributional: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            input_shape,
            n_actions,
            dueling=dueling,
            noisy=noisy,
            distributional=distributional,
            **options,
        )


class QMLP(QNetwork):
    """A Q-network of fully connected layers, for vector observations: CartPole and its kind.

    Several axes are flattened; three, an image, raise ValueError.
    """

    def __init__(
        self,
        observation_space: SpaceOrShape,
        action_space: SpaceOrCount,
        **options: Unpack[_Switches],
    ) -> None:
        if read_observations(observation_space).is_image:
            raise ValueError(
                f"QMLP is for vectors, got {observation_space}; QNetwork chooses the body "
                "for an image"
            )
        super().__init__(observation_space, action_space, **options)
