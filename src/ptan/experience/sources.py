"""Experience sources: environments and an agent in, rows out.

* `ExperienceSource`: tuples of `Experience`
* `ExperienceSourceFirstLast`: one row per window, for n-step targets
* `VectorExperienceSourceFirstLast`: the same over a Gymnasium `VectorEnv`
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium.vector import VectorEnv

from ptan.common._caution import warn_user
from ptan.common.checks import unit_interval, whole_number
from ptan.envs.atari_settings import warn_if_clipped
from ptan.experience.rows import Experience, ExperienceFirstLast
from ptan.experience.source_state import ResumableSource
from ptan.experience.stepping import ListStepper, Stepper
from ptan.experience.stream import FinishedEpisodes, Seat, Stream
from ptan.experience.tape import Cut
from ptan.experience.vector import VectorStepper

Truncation = Literal["bootstrap", "terminal"]


class EpisodeStatistics:
    """What all sources tell about finished episodes."""

    _finished: FinishedEpisodes

    def pop_total_rewards(self) -> list[float]:
        """Undiscounted returns of the episodes finished since the last call.

        It is the raw game's return where a wrapper clips rewards (`info["raw_reward"]`); of vector
        rewards, the sum of all parts.
        """
        return [total for total, _ in self.pop_rewards_steps()]

    def pop_rewards_steps(self) -> list[tuple[float, int]]:
        """(return, steps) of the episodes finished since the last call.

        An episode appears when the item after its last one is asked for.
        """
        episodes = list(self._finished)
        del self._finished[: len(episodes)]
        return episodes


class ExperienceSource(ResumableSource, EpisodeStatistics):
    """Endless sub-trajectories: tuples of up to `steps_count` `Experience` rows.

    They start at steps 0, d, 2d … of every episode; at its end the shorter tails follow. Ended
    environments are reset. Weights or settings of the agent that change between two items count
    from the very next step on.

    Every `iter(source)` starts everything afresh, and ends older iterators with RuntimeError.

    Args:
        env: one environment, a list or tuple of them (stepped in turn, with one call of the agent
            for all), or a Gymnasium `VectorEnv`. Old-style Gym environments work too.
        agent: called as `agent(observations, agent_states)`, returns (actions, agent states).
        steps_count: environment steps in a window, n.
        steps_delta: distance between the starts of windows, d.
        vectorized: True if `env` must be a `VectorEnv`; it is recognised without.
        env_seed: environment i gets the seed `env_seed + i` at its first reset.
        truncation: "bootstrap": a truncated episode has a future; "terminal": it has none.
        check_finite: NaN or infinite observations and rewards raise ValueError.

    Raises:
        ValueError, TypeError: an argument that makes no sense, named in the text.
    """

    def __init__(
        self,
        env: Any,
        agent: Any,
        steps_count: int = 2,
        steps_delta: int = 1,
        vectorized: bool = False,
        env_seed: int | None = None,
        *,
        truncation: Truncation = "bootstrap",
        check_finite: bool = True,
    ) -> None:
        self._set_up(
            env,
            agent,
            Cut(
                Experience,
                joined=False,
                n=whole_number("steps_count", steps_count),
                delta=whole_number("steps_delta", steps_delta),
                gamma=None,
            ),
            vectorized=vectorized,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
        )

    def _set_up(
        self,
        env: Any,
        agent: Any,
        cut: Cut,
        *,
        vectorized: bool,
        env_seed: int | None,
        truncation: str,
        check_finite: bool,
    ) -> None:
        self.env = env
        self.steps_count = cut.n
        self.steps_delta = cut.delta
        self.gamma = cut.gamma
        self._stepper = make_stepper(
            env,
            agent,
            cut,
            vectorized=vectorized,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
        )
        self._finished: FinishedEpisodes = []
        self._seat = Seat()

    @property
    def agent(self) -> Any:
        """Who acts; another agent acts from the next step on."""
        return self._stepper.agent

    @agent.setter
    def agent(self, agent: Any) -> None:
        self._stepper.agent = checked_agent(agent)

    def __iter__(self) -> Iterator[Any]:
        return self._new_stream()

    def _new_stream(self) -> Stream:
        return Stream(self._stepper, self._finished, self._seat)


class ExperienceSourceFirstLast(ExperienceSource):
    """Endless `ExperienceFirstLast` rows: windows of up to n steps in one.

    The reward is the discounted sum over the window; `last_state` the observation after it, None
    if the episode ended within, for whatever reason. With `steps_delta=1` an episode of T steps
    yields T rows: its last n - 1 windows are shorter, and their discount says so.

    Args:
        env, agent, steps_delta, vectorized, env_seed, truncation, check_finite: see
            `ExperienceSource`.
        gamma: discount per step, in [0, 1].
        steps_count: environment steps in a window, n.
    """

    def __init__(
        self,
        env: Any,
        agent: Any,
        gamma: float,
        steps_count: int = 1,
        steps_delta: int = 1,
        vectorized: bool = False,
        env_seed: int | None = None,
        *,
        truncation: Truncation = "bootstrap",
        check_finite: bool = True,
    ) -> None:
        self._set_up(
            env,
            agent,
            Cut(
                ExperienceFirstLast,
                joined=True,
                n=whole_number("steps_count", steps_count),
                delta=whole_number("steps_delta", steps_delta),
                gamma=unit_interval("gamma", gamma),
            ),
            vectorized=vectorized,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
        )


class VectorExperienceSourceFirstLast(ExperienceSourceFirstLast):
    """The rows of `ExperienceSourceFirstLast` from any Gymnasium `VectorEnv`, in env order.

    Args:
        env: the vector environment, in any auto-reset mode.
        agent, gamma, steps_count, env_seed, truncation, check_finite: see
            `ExperienceSourceFirstLast`.
        unnest_data: False yields a list per vector step that completes rows, instead of the rows.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        agent: Any,
        gamma: float,
        steps_count: int = 1,
        env_seed: int | None = None,
        unnest_data: bool = True,
        *,
        truncation: Truncation = "bootstrap",
        check_finite: bool = True,
    ) -> None:
        super().__init__(
            env,
            agent,
            gamma,
            steps_count,
            vectorized=True,
            env_seed=env_seed,
            truncation=truncation,
            check_finite=check_finite,
        )
        self.unnest_data = unnest_data

    def __iter__(self) -> Iterator[Any]:
        stream = self._new_stream()
        return stream if self.unnest_data else _StepLists(stream.take_step)


class _StepLists(Iterator[list[Any]]):
    """The rows of a stream, a list per step of the environments."""

    def __init__(self, take_step: Callable[[], list[Any]]) -> None:
        self._take_step = take_step

    def __next__(self) -> list[Any]:
        return self._take_step()


def make_stepper(
    env: Any,
    agent: Any,
    cut: Cut,
    *,
    vectorized: bool,
    env_seed: int | None,
    truncation: str,
    check_finite: bool,
) -> Stepper:
    """The stepper that fits the environment, after a check of what all sources are given."""
    if truncation not in ("bootstrap", "terminal"):
        raise ValueError(f"truncation must be 'bootstrap' or 'terminal', got {truncation!r}")
    if env_seed is not None and (
        isinstance(env_seed, bool) or not isinstance(env_seed, (int, np.integer)) or env_seed < 0
    ):
        raise ValueError(f"env_seed must be an int >= 0 or None, got {env_seed!r}")
    options: dict[str, Any] = {
        "seed": None if env_seed is None else int(env_seed),
        "terminal": truncation == "terminal",
        "check_finite": check_finite,
    }
    checked_agent(agent)
    if isinstance(env, (list, tuple)) and len(env) == 1 and isinstance(env[0], VectorEnv):
        env = env[0]
    if isinstance(env, VectorEnv):
        warn_if_clipped(env)
        return VectorStepper(env, agent, cut, **options)
    if vectorized:
        raise TypeError(f"env must be a gymnasium VectorEnv when vectorized, got {env!r}")
    return ListStepper(_listed(env), agent, cut, **options)


def _listed(env: Any) -> Sequence[Any]:
    envs = list(env) if isinstance(env, (list, tuple)) else [env]
    if not envs:
        raise ValueError("env must hold at least one environment, got an empty list")
    for one in envs:
        has_both = callable(getattr(one, "reset", None)) and callable(getattr(one, "step", None))
        if isinstance(one, type) or not has_both:
            raise TypeError(f"env must be an object with reset() and step(), got {one!r}")
        if isinstance(one, VectorEnv):
            raise TypeError(
                f"env must be one VectorEnv or a list of single environments, got {env!r}"
            )
    if len({id(one) for one in envs}) < len(envs):
        warn_user(
            "env holds the same environment more than once: its steps are interleaved, so the rows "
            "mix parts of one episode"
        )
    return envs


def checked_agent(agent: Any) -> Any:
    """The agent, if it can be called."""
    if not callable(agent):
        raise TypeError(f"agent must be callable, got {agent!r}")
    return agent
