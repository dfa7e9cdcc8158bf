"""The settings of the DQN family."""

from dataclasses import dataclass
from typing import Any, Self

from ptan.algorithms.settings import setting, widths
from ptan.common.checks import (
    check_above_zero,
    check_at_least,
    check_finite,
    check_switch,
    unit_interval,
    whole_number,
)

__all__ = ["DQNConfig"]

_ENV_STEPS = "environment steps"
_UPDATES = "gradient updates"


@dataclass(frozen=True, kw_only=True)
class DQNConfig:
    """All settings of DQN and its six extensions, each to be turned on alone or with any other.

    The defaults are the textbook's for Pong. Environment steps are counted over all environments,
    one per row that enters the buffer. ε and β begin to move after the warm-up.

    `list_settings(DQNConfig)` gives name, default, meaning and unit of each.

    Raises:
        TypeError, ValueError: a setting of the wrong kind or outside its range, by name.
    """

    n_steps: int = setting(1, "Rewards in a target before it bootstraps", _ENV_STEPS)
    double: bool = setting(False, "Let the online network choose the action of the target")
    noisy: bool = setting(False, "Explore by learned noise in the weights, without ε")
    prioritized: bool = setting(False, "Replay surprising transitions more often")
    dueling: bool = setting(False, "Give value and advantage heads of their own")
    distributional: bool = setting(False, "Learn the distribution of the return, not its mean")

    factorized_noise: bool = setting(
        False, "Draw the noise as outer products, much cheaper for wide layers"
    )

    gamma: float = setting(0.99, "Discount of future rewards", "per environment step")
    learning_rate: float = setting(1e-4, "Step size of Adam")
    learning_rate_final: float | None = setting(
        None, "Step size in the end, on a straight line from the end of the warm-up; None keeps it"
    )
    learning_rate_steps: int = setting(1_000_000, "Length of that line", _ENV_STEPS)
    adam_eps: float = setting(1e-8, "Term in Adam's denominator")
    max_grad_norm: float | None = setting(None, "Clip the gradient to this norm; None does not")
    batch_size: int = setting(32, "Size of a batch", "transitions")
    replay_size: int = setting(100_000, "Capacity of the replay buffer", "transitions")
    warm_up: int = setting(10_000, "Steps before the first update", _ENV_STEPS)
    steps_per_update: int = setting(1, "Steps from one update to the next", _ENV_STEPS)
    sync_every: int = setting(1_000, "Time between copies to the target network", _UPDATES)

    eps_start: float = setting(1.0, "ε during the warm-up and at its end", "probability")
    eps_final: float = setting(0.02, "ε in the end", "probability")
    eps_steps: int = setting(100_000, "Length of the straight line that ε falls on", _ENV_STEPS)
    eps_decay: float | None = setting(
        None, "Multiply ε by this instead, down to eps_final", "per environment step"
    )

    alpha: float = setting(0.6, "How much priorities matter: 0 is uniform replay")
    beta_start: float = setting(0.4, "How much of the sampling bias is corrected at first")
    beta_steps: int = setting(100_000, "Length of the straight line of β to 1", _ENV_STEPS)

    n_atoms: int = setting(51, "Atoms of a return distribution")
    v_min: float = setting(-10.0, "Return that the first atom stands for")
    v_max: float = setting(10.0, "Return that the last atom stands for")

    hidden: int | tuple[int, ...] | None = setting(
        None, "Widths of the fully connected layers; None chooses by the observations", "units"
    )
    mixed_precision: bool = setting(
        False, "Compute the networks in bfloat16 where the device has instructions for it"
    )
    channels_last: bool = setting(
        False, "Order images by pixel in memory, faster convolutions on most processors"
    )
    seed: int = setting(123, "What all randomness of the run is derived from")

    def __post_init__(self) -> None:
        switches = ("double", "noisy", "prioritized", "dueling", "distributional")
        for name in (*switches, "factorized_noise", "mixed_precision", "channels_last"):
            check_switch(name, getattr(self, name))
        counts = ("n_steps", "batch_size", "replay_size", "steps_per_update", "sync_every")
        for name in (*counts, "eps_steps", "beta_steps", "learning_rate_steps"):
            whole_number(name, getattr(self, name))
        whole_number("warm_up", self.warm_up, least=0)
        whole_number("seed", self.seed, least=0)
        whole_number("n_atoms", self.n_atoms, least=2)
        for name in ("gamma", "eps_start", "eps_final", "alpha", "beta_start"):
            unit_interval(name, getattr(self, name))
        check_above_zero("learning_rate", self.learning_rate)
        if self.learning_rate_final is not None:
            check_above_zero("learning_rate_final", self.learning_rate_final)
        check_at_least("adam_eps", self.adam_eps, 0)
        if self.max_grad_norm is not None:
            check_above_zero("max_grad_norm", self.max_grad_norm)
        if self.eps_decay is not None:
            unit_interval("eps_decay", self.eps_decay)
        object.__setattr__(self, "hidden", widths("hidden", self.hidden))
        self._check_pairs()

    def _check_pairs(self) -> None:
        check_finite("v_min", self.v_min)
        check_finite("v_max", self.v_max)
        if not self.v_min < self.v_max:
            raise ValueError(f"v_min must be below v_max, got {self.v_min} and {self.v_max}")
        if self.warm_up > self.replay_size:
            raise ValueError(
                f"warm_up must be at most replay_size, got {self.warm_up} and {self.replay_size}"
            )

    @classmethod
    def rainbow(cls, **settings: Any) -> Self:
        """All six extensions (Hessel et al. 2018), with 4-step targets.

        Args:
            **settings: Any settings, also switches of Rainbow to turn off.

        Returns:
            The configuration.
        """
        switches: dict[str, Any] = {
            "n_steps": 4,
            "double": True,
            "noisy": True,
            "prioritized": True,
            "dueling": True,
            "distributional": True,
        }
        return cls(**{**switches, **settings})
