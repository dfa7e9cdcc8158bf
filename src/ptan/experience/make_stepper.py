"""The one engine that steps environments: single ones, lists, and vector environments.

stepper = make_stepper(env, agent, WindowSpec(n_step=3, gamma=0.99))
stepper.begin()                   # new episodes everywhere
stepper.advance(10)               # ten steps in each environment
rows, episodes, flaw = stepper.cut()    # what they complete, and what is not finite in them
"""

from typing import Any, Literal, TypeAlias

from gymnasium.vector import VectorEnv

from ptan.actions.policy import Agent
from ptan.common.checks import warn_user, whole_number
from ptan.common.types import AnyEnv, Envs
from ptan.envs.atari_settings import warn_if_clipped
from ptan.experience.list_stepper import ListStepper
from ptan.experience.stepper import Stepper
from ptan.experience.vector_stepper import VectorStepper
from ptan.experience.windows import WindowSpec

Truncation: TypeAlias = Literal["bootstrap", "terminal"]


def make_stepper(
    env: Envs,
    agent: Agent,
    spec: WindowSpec,
    *,
    vectorized: bool = False,
    env_seed: int | None = None,
    truncation: Truncation = "bootstrap",
    check_finite: bool = True,
    max_steps: int | None = None,
) -> Stepper:
    """The stepper that fits the environments.

    Arguments are those of `ExperienceSource`; ValueError or TypeError names one that is wrong. An
    agent with a `step` of its own is asked by it. Episodes are truncated after `max_steps`.
    """
    options: dict[str, Any] = {
        "seed": env_seed,
        "terminal": checked_truncation(truncation) == "terminal",
        "check_finite": check_finite,
        "max_steps": None if max_steps is None else whole_number("max_steps", max_steps),
    }
    if isinstance(env, VectorEnv):
        warn_if_clipped(env)
        return VectorStepper(env, agent, spec, **options)
    if vectorized:
        raise TypeError(f"env must be a gymnasium VectorEnv when vectorized, got {env!r}")
    return ListStepper(_listed(env), agent, spec, **options)


def checked_truncation(truncation: str) -> str:
    """How truncations are treated, if it is one of the two ways."""
    if truncation not in ("bootstrap", "terminal"):
        raise ValueError(f"truncation must be 'bootstrap' or 'terminal', got {truncation!r}")
    return truncation


def _listed(env: Envs) -> list[AnyEnv]:
    envs = list(env) if isinstance(env, (list, tuple)) else [env]
    if not envs:
        raise ValueError("env must hold at least one environment, got an empty list")
    for one in envs:
        calls = (getattr(one, name, None) for name in ("reset", "step"))
        if isinstance(one, type) or not all(map(callable, calls)):
            raise TypeError(f"env must be an object with reset() and step(), got {one!r}")
        if isinstance(one, VectorEnv):
            raise TypeError(
                f"env must be one VectorEnv or a list of single environments, got {env!r}"
            )
    if len(set(map(id, envs))) < len(envs):
        warn_user(
            "env holds the same environment more than once: its steps are interleaved, so the rows "
            "mix parts of one episode"
        )
    return envs
