# ruff: noqa: ARG002 - kinds share one interface
"""Objects that stay what they are while their state is loaded: environments and what they own."""

import copy
import inspect
import logging
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import Env
from gymnasium.envs.registration import EnvSpec, WrapperSpec
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from ptan.common._object_graph import (
    Change,
    Decoder,
    Encoder,
    FixedKind,
    KeptKind,
    State,
    cannot_save,
    is_ordinary_name,
    name_of,
)

_NO_STATE = (types.ModuleType, logging.Logger, logging.LoggerAdapter, EnvSpec, WrapperSpec)

# What Gymnasium keeps beside the state: names, settings of the display, how the env was made.
_ARGUMENTS = ("_saved_kwargs", "_ezpickle_kwargs")
_NOT_STATE = frozenset(
    ["spec", "_cached_spec", "metadata", "_metadata", "render_mode", "_ezpickle_args", *_ARGUMENTS]
)
_LEAVES = (type(None), bool, int, float, str)


class Environments(KeptKind):
    """Environments and wrappers: every attribute counts, or their own `state_dict()`."""

    name = "environment"

    def handles(self, value: Any) -> bool:
        return not isinstance(value, type) and is_environment(value)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        outer, _, attribute = path.rpartition(".")
        if attribute == "env":  # the class is name enough, after the number that comes first
            path = outer.rpartition(": ")[0]
        prefix = f"{path}: " if path else ""
        return self.save_named(value, encoder, f"{prefix}{type(value).__name__}")

    def save_named(self, value: Any, encoder: Encoder, name: str) -> State:
        """The node of an environment that errors call `name`."""
        if why := _out_of_reach(value):
            raise cannot_save(value, name, why)
        node: State = {"class": name_of(type(value)), "made": _how_made(value)}
        attributes = _attributes(value)
        if speaks_for_itself(value):
            node["own"] = copy.deepcopy(value.state_dict())
            _check_tree(node["own"], f"{name}.state_dict()")
            attributes = {"env": attributes["env"]} if "env" in attributes else {}
        outer, encoder.owner = encoder.owner, value
        try:
            node["attributes"] = {
                key: encoder.encode(part, f"{name}.{key}") for key, part in attributes.items()
            }
        finally:
            encoder.owner = outer
        return node

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        found = name_of(type(live))
        if found != node["class"] or not self.handles(live):
            raise ValueError(f"state is of a {node['class']}, where there is a {found} now")
        if (made := _how_made(live)) != node["made"]:
            other = sorted(k for k, v in (made.items() ^ node["made"].items()))
            raise ValueError(
                f"state is of a {type(live).__name__} that was made with another "
                f"{', '.join(dict.fromkeys(other))}: {node['made']}, and it is {made} now"
            )
        if ("own" in node) != speaks_for_itself(live):
            raise ValueError(f"state is of another version of {node['class']}")
        attributes = _attributes(live)
        for key in () if "own" in node else attributes.keys() - node["attributes"].keys():
            if not hasattr(type(live), key) or callable(attributes[key]):
                raise ValueError(
                    f"state of {node['class']} lacks the attribute {key!r} that it has now: it is "
                    "of another version, or of an environment that was not reset yet"
                )
        for key in node["attributes"].keys() - attributes.keys():
            if not _may_have(live, key):
                raise ValueError(f"state gives a {node['class']} the attribute {key!r}")
        if "own" in node and node["attributes"].keys() - {"env"}:
            raise ValueError(f"state of {node['class']} has more than what it says itself")
        return [
            (part, attributes[key]) for key, part in node["attributes"].items() if key in attributes
        ]

    def make(self, node: State, decoder: Decoder) -> Any:
        raise ValueError(f"state holds a {node['class']} more than there are now")

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        if "own" in node:
            for part in node["attributes"].values():
                decoder.value(part)
            state, old = copy.deepcopy(node["own"]), copy.deepcopy(live.state_dict())
            load = type(live).load_state_dict
            return Change(lambda: load(live, state), lambda: load(live, old))
        before = _attributes(live)
        values = {
            key: decoder.value(part)
            for key, part in node["attributes"].items()
            if not _is_no_state(part, decoder)  # stays as it is
        }
        gone = before.keys() - node["attributes"].keys()

        def make() -> None:
            for key in gone:
                _remove(live, key)
            for key, value in values.items():
                _put(live, key, value)

        def undo() -> None:
            for key in _attributes(live).keys() - before.keys():
                _remove(live, key)
            for key, value in before.items():
                _put(live, key, value)

        return Change(make, undo)


def is_environment(value: Any) -> bool:
    """True for all that resets and steps."""
    kind = type(value)
    return isinstance(value, Env | VectorEnv) or (
        callable(getattr(kind, "reset", None)) and callable(getattr(kind, "step", None))
    )


def speaks_for_itself(env: Any) -> bool:
    """True for an environment with `state_dict()` and `load_state_dict(state)` of its own."""
    methods = ("state_dict", "load_state_dict")
    return all(callable(getattr(type(env), name, None)) for name in methods)


def _attributes(env: Any) -> dict[str, Any]:
    """The instance attributes that may be state, past all properties."""
    found = dict(getattr(env, "__dict__", {}))
    for name, slot in _slots(env).items():
        try:
            found[name] = slot.__get__(env)
        except AttributeError:  # not assigned yet
            continue
    return {name: value for name, value in found.items() if name not in _skipped(env)}


def _skipped(env: Any) -> frozenset[str]:
    """Names of attributes that are no state."""
    skipped: frozenset[str] = _NOT_STATE if isinstance(env, Env | VectorEnv) else frozenset()
    return skipped | {"env_fns"} if isinstance(env, SyncVectorEnv) else skipped


def _slots(env: Any) -> dict[str, Any]:
    """The attributes that have a place of their own instead of one in `__dict__`."""
    slots: dict[str, Any] = {}
    for kind in reversed(type(env).__mro__):
        if "__slots__" in vars(kind):
            members = vars(kind).items()
            slots |= {k: v for k, v in members if isinstance(v, types.MemberDescriptorType)}
    return slots


def _may_have(env: Any, name: Any) -> bool:
    """Whether an attribute may be added: it must not hide, or be taken for, anything that runs."""
    if not is_ordinary_name(name) or name in _skipped(env):
        return False
    if name in _slots(env):
        return True
    of_class = inspect.getattr_static(type(env), name, None)
    runs = callable(of_class) or isinstance(of_class, staticmethod | classmethod)
    return hasattr(env, "__dict__") and not (runs or inspect.isdatadescriptor(of_class))


def _put(env: Any, name: str, value: Any) -> None:
    """Set an attribute; no code of the environment runs."""
    if (slot := _slots(env).get(name)) is not None:
        slot.__set__(env, value)
    else:
        env.__dict__[name] = value


def _remove(env: Any, name: str) -> None:
    if (slot := _slots(env).get(name)) is not None:
        slot.__delete__(env)
    else:
        del env.__dict__[name]


def _how_made(env: Any) -> dict[str, str]:
    """What tells an environment from another one of the same class, as far as it is known."""
    made = {}
    if isinstance(env, Env | VectorEnv):
        for name in ("observation_space", "action_space"):
            made[name] = repr(getattr(env, name, None))
    own = getattr(env, "__dict__", {})
    spec = own.get("spec")
    arguments = [own.get(name) for name in _ARGUMENTS]
    if isinstance(spec, EnvSpec):
        made["id"] = spec.id
        arguments.append(spec.kwargs)
    for given in arguments:
        for name, value in given.items() if isinstance(given, dict) else ():
            if type(value) in _LEAVES and name != "render_mode":
                made[name] = repr(value)
    return made


def _out_of_reach(env: Any) -> str:
    """Why an environment's state can't be read at all; empty if that is not known."""
    if isinstance(env, AsyncVectorEnv):
        return "its environments live in other processes; a SyncVectorEnv can be saved"
    if type(env).__name__ == "AtariVectorEnv":
        return "its games do not tell their state; a list or SyncVectorEnv of wrap_dqn games can"
    return ""


def _check_tree(tree: Any, name: str) -> None:
    """Raise CannotSave unless a state that somebody else made is a state tree."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            if type(key) not in (str, int):
                raise cannot_save(key, f"the key {key!r} of {name}")
            _check_tree(part, f"{name}[{key!r}]")
    elif type(tree) in (list, tuple):
        for i, part in enumerate(tree):
            _check_tree(part, f"{name}[{i}]")
    elif not (
        type(tree) in _LEAVES
        or isinstance(tree, np.ndarray | np.generic)
        or type(tree).__module__ == "torch"
    ):
        raise cannot_save(tree, name)


def _is_no_state(encoded: Any, decoder: Decoder) -> bool:
    return isinstance(encoded, dict) and isinstance(decoder.look_up(encoded)[2], NoState)


class NoState(FixedKind):
    """Modules, loggers, specifications, and the display of an environment that shows none."""

    name = "none"

    def handles(self, value: Any) -> bool:
        return isinstance(value, _NO_STATE) or type(value).__module__.startswith("pygame")

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        shown = getattr(encoder.owner, "render_mode", None)
        if not isinstance(value, _NO_STATE) and shown is not None:
            raise cannot_save(value, path, f"make the environment without render_mode={shown!r}")
        return {"class": name_of(type(value))}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        same = self.handles(live) and name_of(type(live)) == node["class"]
        return () if same else None
