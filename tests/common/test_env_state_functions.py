"""Functions that environments hold: what they remember between calls goes on, too."""

import functools
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TransformObservation

from ptan.common.env_state import CannotSave, environment_state, set_environment_state


def by_default() -> Any:
    def shift(observation: Any, seen: list[int] = []) -> Any:  # noqa: B006 - what is tested
        seen.append(1)
        return (observation + len(seen)).astype(np.float32)

    return shift


def by_keyword() -> Any:
    def shift(observation: Any, *, seen: list[int] = []) -> Any:  # noqa: B006 - what is tested
        seen.append(1)
        return (observation + len(seen)).astype(np.float32)

    return shift


def by_attribute() -> Any:
    def shift(observation: Any) -> Any:
        vars(shift)["count"] = vars(shift).get("count", 0) + 1
        return (observation + vars(shift)["count"]).astype(np.float32)

    return shift


def by_argument() -> Any:
    def shift(seen: list[int], observation: Any) -> Any:
        seen.append(1)
        return (observation + len(seen)).astype(np.float32)

    return functools.partial(shift, [])


def by_method() -> Any:
    def shift(seen: list[int], observation: Any) -> Any:
        seen.append(1)
        return (observation + len(seen)).astype(np.float32)

    return shift.__get__([])


def by_wrapped() -> Any:
    inner = by_default()

    @functools.wraps(inner)
    def shift(observation: Any) -> Any:
        return inner(observation)

    return shift


def make(remember: Callable[[], Any]) -> Any:
    env = gymnasium.make("CartPole-v1")
    return TransformObservation(env, remember(), env.observation_space)


@pytest.mark.parametrize(
    "remember", [by_default, by_keyword, by_attribute, by_argument, by_method, by_wrapped]
)
def test_what_a_function_remembers_goes_on(remember: Callable[[], Any]) -> None:
    uncut, resumed = make(remember), make(remember)
    uncut.reset(seed=1)
    for _ in range(4):
        uncut.step(1)
    function = resumed.func
    set_environment_state(resumed, environment_state(uncut))
    assert getattr(resumed.func, "__func__", resumed.func) is getattr(
        function, "__func__", function
    )
    for _ in range(3):
        assert np.array_equal(resumed.step(0)[0], uncut.step(0)[0])


def of_engine(where: str) -> Any:
    engine = object()

    def default(observation: Any, by: Any = engine) -> Any:
        return observation

    def keyword(observation: Any, *, by: Any = engine) -> Any:
        return observation

    def attribute(observation: Any) -> Any:
        return observation

    vars(attribute)["engine"] = engine
    partial = functools.partial(default, by=engine)
    marked = functools.partial(attribute)
    vars(marked)["engine"] = engine
    return {
        "default": default,
        "keyword": keyword,
        "attribute": attribute,
        "partial": partial,
        "marked": marked,
    }[where]


@pytest.mark.parametrize("where", ["default", "keyword", "attribute", "partial", "marked"])
def test_what_a_function_holds_and_is_no_plain_data_is_named(where: str) -> None:
    env = make(lambda: of_engine(where))
    with pytest.raises(CannotSave, match=r"TransformObservation\.func.* is a object"):
        environment_state(env)


def test_another_function_than_was_saved_is_refused() -> None:
    env, other = make(by_default), make(by_attribute)
    env.reset(seed=1)
    other.reset(seed=1)
    with pytest.raises(ValueError, match=r"state holds a .*shift that has no counterpart"):
        set_environment_state(other, environment_state(env))
