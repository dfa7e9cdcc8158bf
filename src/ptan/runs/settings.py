"""The settings of a run that are not its algorithm's, and both together as JSON."""

import dataclasses
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from ptan.algorithms.presets import Preset
from ptan.algorithms.settings import check_settings, list_settings, setting
from ptan.runs.catalogue import CATALOGUE, Entry
from ptan.runs.errors import RunError, check_name

__all__ = ["CHANGEABLE", "RunConfig", "RunSettings", "settings_of_preset"]

_ENV_STEPS = "environment steps"
_EPISODES = "episodes"

CHANGEABLE = frozenset(
    {
        *("steps", "stop_reward", "device", "threads", "env_threads", "checkpoint_every"),
        *("eval_episodes", "eval_every", "eval_max_steps"),
    }
)
"""Settings that may be changed when a run is resumed: none alters what its environments are."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Where, how long and with what means an algorithm is trained."""

    env_id: str = setting("", "Gymnasium's name of the environment; Atari games are preprocessed")
    steps: int = setting(1_000_000, "Where training ends at the latest", _ENV_STEPS, least=1)
    num_envs: int = setting(1, "Environments that are played side by side", least=1)
    vector: Literal["auto", "list", "sync", "async", "own"] = setting(
        "auto",
        "How several environments are stepped: in turn (list), as a SyncVectorEnv or an "
        "AsyncVectorEnv, or as the vector that they bring (own); auto: in turn, and Atari games "
        "by ALE",
    )
    stop_reward: float | None = setting(
        None, "Stop when the mean of recent episodes is above this, and so is greedy evaluation"
    )
    stop_episodes: int = setting(
        100, "How many recent episodes that mean is taken over", _EPISODES, least=1
    )
    eval_episodes: int = setting(
        20, "Greedy episodes of an evaluation; 0 does without, also at the end", _EPISODES, least=0
    )
    eval_every: int | None = setting(
        None,
        "Least distance of two evaluations while stop_reward is not confirmed; none takes 20_000 "
        "for Atari games and 2_000 for others",
        _ENV_STEPS,
        least=1,
    )
    eval_max_steps: int = setting(
        27_000, "Where an episode of an evaluation is cut off", "steps of the episode", least=1
    )
    device: str = setting("auto", "Where networks live: cpu, cuda, cuda:1; auto prefers cuda")
    threads: int = setting(
        0, "Threads of PyTorch; 0 times updates and adapts, but keeps one with exact", least=0
    )
    env_threads: int = setting(
        0, "Threads that play vectors of Atari games; 0 lets them choose", least=0
    )
    checkpoint_every: int = setting(
        50_000, "Distance of checkpoints; 0 saves only when a run stops", _ENV_STEPS, least=0
    )
    exact: bool = setting(
        False,
        "Save replay buffer and episodes too, to go on to the bit when resumed; where episodes "
        "cannot be saved, new ones begin at each checkpoint",
    )
    diagnostics_every: int = setting(
        100, "Distance of diagnostics such as mean values", "gradient updates", least=1
    )
    episodic_life: bool = setting(True, "Atari: let a lost life end the learning window")
    point_ends: bool = setting(False, "Atari: let every reward end the learning window")
    reward_clipping: bool = setting(True, "Atari: learn from the sign of rewards")
    noop_max: int = setting(
        0, "Atari: most no-ops that a training game starts with", "steps", least=0
    )
    frame_skip: int = setting(4, "Atari: how long an action is held", "game frames", least=1)
    stack_frames: int = setting(4, "Atari: how many frames an observation shows", "frames", least=1)
    screen_size: int = setting(84, "Atari: height and width of a frame", "pixels", least=1)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that a run is made of: an algorithm of `CATALOGUE`, its settings and the run's.

    Raises:
        RunError: no such algorithm, or another algorithm's settings.
    """

    algorithm: str
    settings: RunSettings
    config: Any
    preset: str | None = None

    def __post_init__(self) -> None:
        check_name("algorithm", self.algorithm, CATALOGUE)
        if not isinstance(self.config, self.entry.config):
            raise RunError(f"config must be a {self.entry.config.__name__}, got {self.config!r}")

    @property
    def entry(self) -> Entry:
        """Of the algorithm in the catalogue."""
        return CATALOGUE[self.algorithm]

    @property
    def seed(self) -> int:
        """What all randomness of the run is derived from."""
        return int(self.config.seed)

    @property
    def flat(self) -> dict[str, Any]:
        """The algorithm and all settings, of the run and of the algorithm, by name."""
        return {"algorithm": self.algorithm, **vars(self.settings), **vars(self.config)}

    @property
    def env_name(self) -> str:
        """Of the environment, for names of files."""
        return re.sub(r"[^A-Za-z0-9]+", "-", self.settings.env_id).strip("-")

    @property
    def default_name(self) -> str:
        """Of its folder: `<env>-<preset or algorithm>-seed<S>-<time>`."""
        what = self.preset or self.algorithm
        return f"{self.env_name}-{what}-seed{self.seed}-{time.strftime('%Y%m%d-%H%M%S')}"

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The same with new values of settings in `CHANGEABLE`; RunError for others."""
        exact, able = self.settings.exact, CHANGEABLE
        if exact:
            able = able - {"checkpoint_every", "threads"}
        for name, value in changes.items():
            if name not in able and value != getattr(self.settings, name, None):
                raise RunError(
                    f"{name} cannot change when {'an exact' if exact else 'a'} run is resumed; "
                    f"only {', '.join(sorted(able))} can"
                )
        try:
            settings = dataclasses.replace(self.settings, **changes)
        except (TypeError, ValueError) as error:
            raise RunError(str(error)) from None
        return dataclasses.replace(self, settings=settings)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What `asdict` made, among other entries; RunError names what is wrong with it."""
        try:
            name = content["algorithm"]
            check_name("algorithm", name, CATALOGUE)
            settings = RunSettings(**content["settings"])
            config = CATALOGUE[name].config(**content["config"])
        except KeyError as missing:
            raise RunError(f"there is no {missing}") from None
        except (TypeError, ValueError) as error:
            raise RunError(str(error)) from None
        return cls(algorithm=name, settings=settings, config=config, preset=content.get("preset"))


def settings_of_preset(preset: Preset[Any]) -> dict[str, Any]:
    """What a preset says about settings of the run, those of Atari games among them."""
    said = {**vars(preset), **dataclasses.asdict(preset.atari)}
    return {one.name: said[one.name] for one in list_settings(RunSettings) if one.name in said}
