"""A policy and a value over one body, for actor-critic methods with discrete actions."""

from torch import Tensor, nn

from ptan.common.types import Observations
from ptan.nn.bodies import BodyNetwork, Hidden
from ptan.nn.spaces import SpaceOrCount, SpaceOrShape, count_actions


class AtariA2C(BodyNetwork):
    """The network of A2C (Mnih et al. 2016): `conv`, and the heads `policy` and `value`.

    Despite its name it also takes vectors, as every network here. Arguments and errors are those
    of `QNetwork`; the heads are 512 wide after an image or a body of your own.
    """

    policy: nn.Sequential
    value: nn.Sequential

    def __init__(
        self,
        input_shape: SpaceOrShape,
        n_actions: SpaceOrCount,
        *,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
    ) -> None:
        n_outputs = count_actions(n_actions)
        super().__init__(input_shape, hidden, body)
        self.n_actions = n_outputs
        self.policy = self.head(n_outputs)
        self.value = self.head(1)

    def forward(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """Observations (B, *shape), images in 0–255, to logits (B, A) and values (B, 1)."""
        features = self.features(observations)
        return self.policy(features), self.value(features)
