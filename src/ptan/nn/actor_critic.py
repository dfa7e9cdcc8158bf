"""A policy and a value over one body, for actor-critic methods with discrete actions."""

from typing import Any

from torch import Tensor, nn

from ptan.nn.bodies import BodyNetwork, Hidden
from ptan.nn.q_network import Actions, Observations
from ptan.nn.spaces import count_actions

__all__ = ["AtariA2C"]


class AtariA2C(BodyNetwork):
    """The network of A2C (Mnih et al. 2016): `conv`, and the heads `policy` and `value`.

    Despite its name it also takes vectors, as every network here.

    Args:
        input_shape: The observation space of one environment, or the shape of one observation.
            Three axes are an image and get the Atari body, other boxes fully connected layers.
        n_actions: Number of actions A, or the `Discrete` space of one environment.
        hidden: Widths of the fully connected layers, the last one for each head, those before it
            shared. None: 512 after an image or a body of your own, (128, 128) for vectors.
        body: A body of your own, observations to (B, features); see `BodyNetwork`.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no body fits the observations, or a number outside its range.
    """

    policy: nn.Sequential
    value: nn.Sequential

    def __init__(
        self,
        input_shape: Observations,
        n_actions: Actions,
        *,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
    ) -> None:
        n_outputs = count_actions(n_actions)
        super().__init__(input_shape, hidden, body)
        self.n_actions = n_outputs
        self.policy = self.head(n_outputs)
        self.value = self.head(1)

    def forward(self, observations: Any) -> tuple[Tensor, Tensor]:
        """Observations (B, *shape), images in 0–255, to logits (B, A) and values (B, 1)."""
        features = self.features(observations)
        return self.policy(features), self.value(features)
