"""The settings of the DQN family."""

from dataclasses import dataclass
from typing import Any, Self

from ptan.algorithms.settings import check_settings, setting

__all__ = ["DQNConfig"]

_ENV_STEPS = "environment steps"
_PER_STEP = "per environment step"
_UPDATES = "gradient updates"
_SHARE = "probability"


@dataclass(frozen=True, kw_only=True)
class DQNConfig:
    """All settings of DQN and its six extensions, each to be turned on alone or with any other.

    The defaults are the textbook's for Pong. Environment steps are counted over all environments.
    ε and β begin to move after the warm-up.

    `list_settings(DQNConfig)` gives name, default, meaning and unit of each. A setting of the wrong
    kind or outside its range raises TypeError or ValueError.
    """

    n_steps: int = setting(1, "Rewards in a target before it bootstraps", _ENV_STEPS, least=1)
    double: bool = setting(False, "Let the online network choose the action of the target")
    noisy: bool = setting(False, "Explore by learned noise in the weights, without ε")
    prioritized: bool = setting(False, "Replay surprising transitions more often")
    dueling: bool = setting(False, "Give value and advantage heads of their own")
    distributional: bool = setting(False, "Learn the distribution of the return, not its mean")

    factorized_noise: bool = setting(False, "Draw noise as outer products: cheap in wide layers")

    gamma: float = setting(0.99, "Discount of future rewards", _PER_STEP, least=0, most=1)
    learning_rate: float = setting(1e-4, "Step size of Adam", above=0)
    learning_rate_final: float | None = setting(
        None, "Step size in the end, on a straight line from the warm-up; None keeps it", above=0
    )
    learning_rate_steps: int = setting(1_000_000, "Length of that line", _ENV_STEPS, least=1)
    adam_eps: float = setting(1e-8, "Term in Adam's denominator", least=0)
    max_grad_norm: float | None = setting(None, "Clip the gradient to this norm, if any", above=0)
    batch_size: int = setting(32, "Size of a batch", "transitions", least=1)
    replay_size: int = setting(100_000, "Capacity of the replay buffer", "transitions", least=1)
    warm_up: int = setting(10_000, "Random steps before the first update", _ENV_STEPS, least=0)
    steps_per_update: int = setting(1, "Steps from one update to the next", _ENV_STEPS, least=1)
    sync_every: int = setting(1_000, "Time between copies to the target network", _UPDATES, least=1)

    eps_start: float = setting(1.0, "ε at the end of the warm-up", _SHARE, least=0, most=1)
    eps_final: float = setting(0.02, "ε in the end", _SHARE, least=0, most=1)
    eps_steps: int = setting(100_000, "Length of the line that ε falls on", _ENV_STEPS, least=1)
    eps_decay: float | None = setting(
        None, "Multiply ε by this instead, down to eps_final", _PER_STEP, least=0, most=1
    )

    alpha: float = setting(0.6, "How much priorities matter: 0 is uniform replay", least=0, most=1)
    beta_start: float = setting(0.4, "Share of the bias corrected at first", least=0, most=1)
    beta_steps: int = setting(100_000, "Length of the straight line of β to 1", _ENV_STEPS, least=1)

    n_atoms: int = setting(51, "Atoms of a return distribution", least=2)
    v_min: float = setting(-10.0, "Return that the first atom stands for")
    v_max: float = setting(10.0, "Return that the last atom stands for")

    hidden: int | tuple[int, ...] | None = setting(
        None,
        "Widths of the fully connected layers; None chooses by the observations",
        "units",
        least=1,
    )
    mixed_precision: bool = setting(False, "Compute in bfloat16 where the device has it built in")
    channels_last: bool = setting(False, "Order images by pixel: faster on most processors")
    seed: int = setting(123, "What all randomness of the run is derived from", least=0)

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.v_min < self.v_max:
            raise ValueError(f"v_min must be below v_max, got {self.v_min} and {self.v_max}")
        if self.warm_up > self.replay_size:
            raise ValueError(
                f"warm_up must be at most replay_size, got {self.warm_up} and {self.replay_size}"
            )

    @classmethod
    def rainbow(cls, **settings: Any) -> Self:
        """All six extensions (Hessel et al. 2018), 4-step targets, and any other settings."""
        switches = ("double", "noisy", "prioritized", "dueling", "distributional")
        return cls(**{"n_steps": 4, **dict.fromkeys(switches, True), **settings})
