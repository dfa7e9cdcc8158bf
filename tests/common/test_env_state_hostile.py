"""States made by a stranger: nothing in them runs, and the environment stays as it was."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import pytest

from ptan.common.env_state import environment_state, pack, set_environment_state, unpack

from .hostile_states import RAN, Hostile, Victim, harmless


class Loud:
    def __init__(self) -> None:
        self.name = "loud"

    def __del__(self) -> None:
        RAN.append("del")


@dataclass
class Callable:
    command: str

    def __call__(self) -> None:
        RAN.append(self.command)


@dataclass
class Closing:
    command: str

    def __del__(self) -> None:
        RAN.append(self.command)


@dataclass
class Playing:
    command: str

    def reset(self) -> None:
        RAN.append("reset")

    def step(self) -> None:
        RAN.append("step")


class Place(NamedTuple):
    x: int


class Operation(Enum):
    ADD = 1

    def __call__(self) -> None:
        RAN.append("add")


def test_the_state_itself_is_taken() -> None:
    set_environment_state(Victim(), Hostile().tree)


def test_module_globals_are_out_of_reach_of_a_file() -> None:
    hostile = Hostile()
    execute = hostile.function("builtins.exec")
    builtins = hostile.items(exec=execute)
    variables = hostile.items(__builtins__=builtins)
    function = hostile.environment("builtins.function", __globals__=variables)
    method = hostile.environment("builtins.method", __func__=function)
    given = {"0": "RAN.append('exec')"}
    call = hostile.add("partial", function=dict(execute), given=given)
    hostile.root["attributes"] = {"reset": method, "close": call, **hostile.attributes}
    hostile.refused()


def test_an_object_that_is_no_environment_is_taken_for_none() -> None:
    for name, of in (("hook", "builtins.method"), ("held", "builtins.function")):
        hostile = Hostile()
        hostile.attributes[name] = hostile.environment(of, __globals__=hostile.items())
        hostile.refused("where there is a")
    hostile = Hostile()
    hostile.attributes["hooks"] = hostile.environment("builtins.list")
    hostile.refused("where there is a")


@pytest.mark.parametrize("place", ["none", "fresh", "numbers", "map", "more", "hook", "given"])
@pytest.mark.parametrize("what", ["held", "given", "hook", "system"])
def test_what_stands_in_one_place_comes_to_no_other(what: str, place: str) -> None:
    if what == place:
        return
    hostile = Hostile()
    hostile.attributes[place] = hostile.again(what)
    if what == "system":  # a module is no state: what stands there stays
        victim = Victim()
        before = dict(vars(victim))
        set_environment_state(victim, hostile.tree)
        assert vars(victim).get(place) is before.get(place)
    else:
        hostile.refused()


@pytest.mark.parametrize("what", ["held", "given", "hook", "system"])
@pytest.mark.parametrize("place", ["list", "dict", "key", "tuple", "argument", "default", "object"])
def test_nor_into_a_part_of_another_one(what: str, place: str) -> None:
    hostile = Hostile()
    reference = hostile.again(what)
    if place == "list":
        hostile.nodes[hostile.attributes["hooks"]["node"]]["items"][1] = reference
    elif place == "dict":
        hostile.attributes["map"] = hostile.items(a=reference)
    elif place == "key":
        hostile.attributes["map"] = hostile.add("dict", type="dict", items=[(reference, 1)])
    elif place == "tuple":
        hostile.attributes["none"] = (1, reference)
    elif place == "argument":
        hostile.nodes[hostile.attributes["given"]["node"]]["given"]["0"] = reference
    elif place == "default":
        hostile.nodes[hostile.attributes["held"]["node"]]["attributes"]["more"] = reference
    else:
        hostile.attributes["none"] = hostile.add("objects", shape=(1,), items=[reference])
    hostile.refused("another one, or none")


def test_a_partial_keeps_its_function() -> None:
    hostile = Hostile()
    given = hostile.nodes[hostile.attributes["given"]["node"]]
    given["function"] = dict(hostile.nodes[hostile.attributes["hooks"]["node"]]["items"][1])
    hostile.refused("another one, or none")


@pytest.mark.parametrize("name", ["by_night", "__init__", "close", "__reduce__", "nothing"])
def test_a_method_stays_the_same(name: str) -> None:
    hostile = Hostile()
    hostile.nodes[hostile.attributes["hook"]["node"]]["method"] = name
    hostile.refused("no counterpart")


def test_a_method_stays_with_its_object() -> None:
    hostile = Hostile()
    hostile.nodes[hostile.attributes["hook"]["node"]]["owner"] = hostile.again("rng")
    hostile.refused()


@pytest.mark.parametrize(
    "name",
    [
        "__class__",
        "__dict__",
        "__getattr__",
        "close",  # a method
        "step",
        "watched",  # a property, with a setter that would run
        "unwrapped",
        "np_random",
        "render_mode",  # settings that are no state
        "spec",
        "_saved_kwargs",
        "no name",
        7,
    ],
)
def test_only_data_of_its_own_may_be_added(name: Any) -> None:
    hostile = Hostile()
    hostile.attributes[name] = 1
    hostile.refused("gives a .*Victim the attribute")


@pytest.mark.parametrize("name", ["fresh", "speed", "entirely_new", "_np_random_seed"])
def test_data_that_is_not_there_yet_is_added(name: str) -> None:
    hostile, victim = Hostile(), Victim()
    hostile.attributes[name] = 7
    set_environment_state(victim, hostile.tree)
    assert vars(victim)[name] == 7


def test_a_function_of_the_object_itself_is_not_taken_away() -> None:
    class Patched(Victim):
        def __init__(self) -> None:
            super().__init__()
            self.close = harmless  # type: ignore[assignment,method-assign]

    tree = environment_state(Patched())
    del tree["nodes"][0]["attributes"]["close"]
    victim = Patched()
    with pytest.raises(ValueError, match="lacks the attribute 'close'"):
        set_environment_state(victim, tree)
    assert victim.close is harmless


@pytest.mark.parametrize("name", ["__code__", "__wrapped__", "no name"])
def test_a_function_gets_no_special_attributes(name: str) -> None:
    hostile = Hostile()
    hostile.nodes[hostile.attributes["held"]["node"]]["attributes"][name] = 1
    hostile.refused("the attributes")


@pytest.mark.parametrize("group", ["cells", "defaults", "keywords"])
def test_a_function_keeps_its_shape(group: str) -> None:
    hostile = Hostile()
    hostile.nodes[hostile.attributes["held"]["node"]][group]["0"] = 1
    hostile.refused("no counterpart")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (f"{__name__}:Loud", {}),
        (f"{__name__}:Callable", {"command": "x"}),
        (f"{__name__}:Closing", {"command": "x"}),
        (f"{__name__}:Playing", {"command": "x"}),
        ("subprocess:Popen", {}),
        (
            "gymnasium.envs.registration:WrapperSpec",
            dict.fromkeys(("name", "entry_point", "kwargs")),
        ),
        ("os:system", {}),
        ("torch:nothing", {}),
        (f"{__name__}:Hostile.refused", {}),
    ],
)
def test_only_records_are_made_out_of_a_file(name: str, parts: dict[str, Any]) -> None:
    hostile = Hostile()
    hostile.attributes["none"] = hostile.add("record", **{"class": name}, parts=parts)
    hostile.refused("which is no record")
    with pytest.raises(ValueError, match="which is no record"):
        unpack({"nodes": hostile.nodes, "root": hostile.again("none")})


def test_members_that_can_be_called_are_no_data() -> None:
    hostile = Hostile()
    name = f"{__name__}:Operation"
    hostile.attributes["none"] = hostile.add("record", **{"class": name}, member="ADD")
    hostile.refused("which is no record")


def test_records_are_made() -> None:
    assert unpack(pack([Place(1)], "x")) == [Place(1)]


@pytest.mark.parametrize("kind", ["function", "partial", "method", "environment", "none", "ale"])
def test_packed_values_are_plain(kind: str) -> None:
    name = "builtins.exec"
    node = {"kind": kind, "name": name, "class": "builtins.module", "cells": {}}
    with pytest.raises(ValueError, match="no packed value"):
        unpack({"nodes": [node], "root": {"node": 0}})


OBJECT = id(RAN).to_bytes(8, "little")


@pytest.mark.parametrize("dtype", ["|O", [("a", "|O")], [("a", "<f4"), ("b", "|O", (1,))]])
@pytest.mark.parametrize("kind", ["whole", "view", "scalar"])
def test_numbers_are_never_taken_for_addresses(kind: str, dtype: Any) -> None:
    hostile = Hostile()
    data = np.frombuffer(OBJECT * 2, np.uint8)
    node: Any = {"dtype": dtype, "shape": (1,), "data": data, "writeable": True}
    if kind == "view":
        memory = hostile.add("memory", data=data)
        node |= {"memory": memory, "offset": 0, "strides": (8,)}
    if kind == "scalar":
        node = {"type": "generic", "dtype": dtype, "data": data}
    name = "constant" if kind == "scalar" else "array"
    hostile.attributes["none"] = hostile.add(name, **node)
    hostile.refused("that are to be objects")


@pytest.mark.parametrize(
    ("size", "shape", "strides", "offset"),
    [
        (0, (1000,), (1,), 0),  # NumPy takes every view of no bytes
        (0, (1,), (1,), -64),
        (8, (2,), (8,), 0),
        (8, (1,), (1,), 8),
        (8, (2,), (-1,), 0),
        (8, (2**61 + 1,), (8,), 0),
        (8, (-1,), (1,), 0),
        (8, (2,), (True,), 0),
        (8, (2, 1), (1,), 0),
    ],
)
def test_arrays_lie_in_their_memory(size: int, shape: Any, strides: Any, offset: int) -> None:
    hostile = Hostile()
    memory = hostile.add("memory", data=np.zeros(size, np.uint8))
    hostile.attributes["none"] = hostile.add(
        "array",
        dtype="|u1",
        shape=shape,
        memory=memory,
        offset=offset,
        strides=strides,
        writeable=True,
    )
    hostile.refused()


@pytest.mark.parametrize("position", [-1, 625, 10**6])
def test_generators_read_their_own_numbers_only(position: int) -> None:
    hostile = Hostile()
    hostile.nodes[hostile.attributes["far"]["node"]]["state"]["state"]["pos"] = position
    hostile.refused("MT19937")
    hostile = Hostile()
    hostile.nodes[hostile.attributes["counter"]["node"]]["state"]["buffer_pos"] = position
    hostile.refused("Philox")


@pytest.mark.parametrize("reference", [{"node": -1}, {"node": True}, {"node": 10**9}, [], {}])
def test_references_that_lead_nowhere_are_refused(reference: Any) -> None:
    hostile = Hostile()
    hostile.attributes["numbers"] = reference
    hostile.refused()


def test_a_value_that_contains_itself_without_end_is_refused() -> None:
    hostile = Hostile()
    reference = hostile.add("container", type="frozenset", items=[], maxlen=None)
    hostile.nodes[-1]["items"].append(dict(reference))
    hostile.attributes["none"] = reference
    hostile.refused()


def test_one_reference_is_not_taken_for_two_places() -> None:
    hostile = Hostile()
    hostile.attributes["none"] = hostile.attributes["held"]
    hostile.refused("in two places")
