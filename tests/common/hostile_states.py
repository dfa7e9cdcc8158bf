"""An environment that holds what can be called, and its state, to be spoilt by tests."""

import copy
import functools
import os
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from ptan.common.env_state import environment_state, set_environment_state

RAN: list[str] = []


def harmless(*args: Any) -> None:
    """Stands where it was put by the environment."""


class Victim(gymnasium.Env[Any, Any]):
    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)
    speed = 1.0
    fresh: Any = None

    def __init__(self) -> None:
        self.numbers = np.arange(4.0)
        self.held = harmless
        self.given = functools.partial(harmless, "a")
        self.hook = self.by_day
        self.system = os
        self.hooks: list[Any] = [harmless, len]
        self.none = None
        self.map = {"a": 1}
        self.rng = np.random.default_rng(1)
        self.far = np.random.Generator(np.random.MT19937(1))
        self.counter = np.random.Generator(np.random.Philox(1))

    def by_day(self) -> None:
        """Stands in `hook`."""

    def by_night(self) -> None:
        RAN.append("night")

    @property
    def watched(self) -> int:
        return 1

    @watched.setter
    def watched(self, value: Any) -> None:
        RAN.append("setter")

    def reset(self, **kwargs: Any) -> Any:
        super().reset(**kwargs)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(2, np.float32), 0.0, False, False, {}


class Hostile:
    """The state of a victim, to be changed."""

    def __init__(self) -> None:
        self.tree: Any = copy.deepcopy(environment_state(Victim()))
        self.nodes: list[Any] = self.tree["nodes"]
        self.root = self.nodes[self.tree["roots"][0]["node"]]
        self.attributes: dict[str, Any] = self.root["attributes"]

    def add(self, kind: str, **node: Any) -> dict[str, int]:
        self.nodes.append({"kind": kind, **node})
        return {"node": len(self.nodes) - 1}

    def function(self, name: str) -> dict[str, int]:
        groups: Any = {group: {} for group in ("cells", "defaults", "keywords", "attributes")}
        return self.add("function", name=name, **groups)

    def items(self, **items: Any) -> dict[str, int]:
        return self.add("dict", type="dict", items=list(items.items()))

    def environment(self, name: str, **attributes: Any) -> dict[str, int]:
        return self.add("environment", **{"class": name}, made={}, attributes=attributes)

    def again(self, name: str) -> Any:
        """Another reference to what an attribute is."""
        return dict(self.attributes[name])

    def refused(self, match: str = "state") -> None:
        victim = Victim()
        before = {name: (id(v), repr(v)) for name, v in vars(victim).items()}
        state = repr(environment_state(victim))
        RAN.clear()
        with pytest.raises(ValueError, match=match):
            set_environment_state(victim, self.tree)
        assert {name: (id(v), repr(v)) for name, v in vars(victim).items()} == before
        assert repr(environment_state(victim)) == state
        assert RAN == []
