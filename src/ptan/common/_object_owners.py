# ruff: noqa: ARG002 - kinds share one interface
"""Objects that stay what they are while their state is loaded: environments and what they own."""

import copy
import logging
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import Env
from gymnasium.envs.registration import EnvSpec, WrapperSpec
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from ptan.common._object_graph import Change, Decoder, Encoder, Kind, State, cannot_save, name_of

_NO_STATE = (types.ModuleType, logging.Logger, logging.LoggerAdapter, EnvSpec, WrapperSpec)

# What Gymnasium keeps beside the state: names, settings of the display, how the env was made.
_ARGUMENTS = ("_saved_kwargs", "_ezpickle_kwargs")
_NOT_STATE = frozenset(
    ["spec", "_cached_spec", "metadata", "_metadata", "render_mode", "_ezpickle_args", *_ARGUMENTS]
)
_LEAVES = (type(None), bool, int, float, str)


class Environments(Kind):
    """Environments and wrappers: every attribute counts, or their own `state_dict()`."""

    name = "environment"
    plain = False
    kept = True

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
        if found != node["class"]:
            raise ValueError(f"state is of a {node['class']}, where there is a {found} now")
        if (made := _how_made(live)) != node["made"]:
            other = sorted(k for k, v in (made.items() ^ node["made"].items()))
            raise ValueError(
                f"state is of a {type(live).__name__} that was made with another "
                f"{', '.join(dict.fromkeys(other))}: {node['made']}, and it is {made} now"
            )
        if ("own" in node) != speaks_for_itself(live):
            raise ValueError(f"state is of another version of {node['class']}")
        attributes = {} if "own" in node else _attributes(live)
        for key in attributes.keys() - node["attributes"].keys():
            if not hasattr(type(live), key):
                raise ValueError(
                    f"state of {node['class']} lacks the attribute {key!r} that it has now: it is "
                    "of another version, or of an environment that was not reset yet"
                )
        return [(part, getattr(live, key, None)) for key, part in node["attributes"].items()]

    def make(self, node: State, decoder: Decoder) -> Any:
        raise ValueError(f"state holds a {node['class']} more than there are now")

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        if "own" in node:
            state, before = copy.deepcopy(node["own"]), copy.deepcopy(live.state_dict())
            load = type(live).load_state_dict
            return Change(lambda: load(live, state), lambda: load(live, before))
        values = {
            key: decoder.value(part)
            for key, part in node["attributes"].items()
            if not _stays(part, decoder)
        }
        gone = _attributes(live).keys() - node["attributes"].keys()

        def make() -> None:
            for key in gone:
                object.__delattr__(live, key)
            for key, value in values.items():
                object.__setattr__(live, key, value)

        return Change(make)


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
    """The instance attributes that may be state."""
    names = list(getattr(env, "__dict__", ()))
    for kind in type(env).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    skipped: frozenset[str] = _NOT_STATE if isinstance(env, Env | VectorEnv) else frozenset()
    if isinstance(env, SyncVectorEnv):
        skipped = skipped | {"env_fns"}
    found = {}
    for name in dict.fromkeys(names):
        if name not in skipped and name not in ("__dict__", "__weakref__") and hasattr(env, name):
            found[name] = getattr(env, name)
    return found


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


def _stays(encoded: Any, decoder: Decoder) -> bool:
    """True for what is not state and has no counterpart: the attribute stays as it is."""
    if not isinstance(encoded, dict) or encoded["node"] in decoder.built:
        return False
    return bool(decoder.nodes[encoded["node"]]["kind"] == NoState.name)


class NoState(Kind):
    """Modules, loggers, specifications, and the display of an environment that shows none."""

    name = "none"
    plain = False
    kept = True

    def handles(self, value: Any) -> bool:
        return isinstance(value, _NO_STATE) or type(value).__module__.startswith("pygame")

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        shown = getattr(encoder.owner, "render_mode", None)
        if not isinstance(value, _NO_STATE) and shown is not None:
            raise cannot_save(value, path, f"make the environment without render_mode={shown!r}")
        return {"class": name_of(type(value))}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        return () if name_of(type(live)) == node["class"] else None
