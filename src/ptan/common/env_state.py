"""What an environment is in the middle of, as plain data.

* `environment_state`, `set_environment_state`: the state of one environment, and back
* `CannotSave`: something in it is no plain data

An environment, or a wrapper in its chain, can say itself how it is saved:

    def state_dict(self) -> dict: ...
    def load_state_dict(self, state: dict) -> None: ...

`state_dict` returns nested dicts (of str or int keys), lists and tuples of None, bool, int, float,
str, arrays and tensors. It speaks for all that the object holds but its attribute `env`, the
environment that it wraps.

Of all others every attribute is looked at: numbers, text, arrays, containers of them, random
generators of NumPy and Python, environments inside, and Atari's emulator. Spaces count with their
random generators, functions with what they close over, their defaults and their attributes. Class
attributes, module variables, global random generators and what `functools.lru_cache` remembers do
not belong to an environment. What is none of these can't be saved; it is never left out in silence.

A state may come from a stranger. Functions, methods and environments are never made out of it: they
must be the same ones in the same places, so that a state in which one stands elsewhere is refused.
"""

from collections.abc import Sequence
from typing import Any

from ptan.common._object_code import Functions, Methods, Partials
from ptan.common._object_graph import (
    CannotSave,
    Change,
    Decoder,
    Encoder,
    State,
    cannot_save,
    run_changes,
)
from ptan.common._object_kinds import PLAIN_KINDS, save_arrays
from ptan.common._object_owners import Environments, NoState
from ptan.common._object_random import AtariGames, Generators, Spaces

__all__ = ["CannotSave", "environment_state", "set_environment_state"]

_KINDS = (
    Environments(),
    Spaces(),
    AtariGames(),
    Generators(),
    Methods(),
    Partials(),
    Functions(),
    NoState(),
    *PLAIN_KINDS,
)
# What reading a state raises that is none, beside ValueError.
_BROKEN = (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError)


def environment_state(env: Any) -> State:
    """Everything that an environment's future depends on, in the middle of an episode too.

    Args:
        env: A Gymnasium environment with its wrappers, a vector environment that runs in this
            process, or any object with `reset` and `step`.

    Returns:
        A state tree: nested dicts, lists and tuples of plain values and arrays, without memory in
        common with the environment.

    Raises:
        CannotSave: something in it is no plain data; the text names class, attribute and type.
    """
    return states_of([env], [""])


def set_environment_state(env: Any, tree: State) -> None:
    """Put an environment where another one was when its state was taken.

    Args:
        env: Made in the same way as the other one. Random generators and environments inside stay
            the objects they are; arrays and containers are replaced.
        tree: From `environment_state`; it is not changed.

    Raises:
        ValueError: the state is of another environment. This one is unchanged.
    """
    run_changes(changes_to([env], tree))


def states_of(envs: Sequence[Any], names: Sequence[str]) -> State:
    """The states of several environments in one tree: what they share stays shared.

    Args:
        envs: The environments.
        names: What errors put before the class of each.

    Raises:
        CannotSave: see `environment_state`.
    """
    encoder = Encoder(_KINDS, plain=False)
    kind = Environments()
    numbers: dict[int, int] = {}
    roots = []
    for env, name in zip(envs, names, strict=True):
        if id(env) not in numbers:
            if not kind.handles(env):
                raise cannot_save(env, f"{name}{type(env).__name__}", "it lacks reset() and step()")
            number = numbers[id(env)] = encoder.add(env)
            node = kind.save_named(env, encoder, f"{name}{type(env).__name__}")
            encoder.nodes[number] = {"kind": kind.name, **node}
        roots.append({"node": numbers[id(env)]})
    save_arrays(encoder)
    return {"nodes": encoder.nodes, "roots": roots}


def changes_to(envs: Sequence[Any], tree: State) -> list[Change]:
    """What it takes to put environments into the states of `states_of`; nothing changes yet.

    Raises:
        ValueError: the states are of other environments.
    """
    try:
        decoder = Decoder(tree["nodes"], _KINDS, plain=False)
        if len(tree["roots"]) != len(envs):
            raise ValueError(f"state is of {len(tree['roots'])} environments, not of {len(envs)}")
        for root, env in zip(tree["roots"], envs, strict=True):
            decoder.match(root, env)
            if decoder.value(root) is not env:
                raise ValueError("state is of other environments, some of them the same one twice")
        return decoder.plan()
    except _BROKEN as error:
        raise ValueError(f"state is no state of an environment: {error!r}") from error


def pack(value: Any, name: str) -> State:
    """A value that is plain data as a state tree.

    Args:
        value: Of the kinds that attributes of environments may have; no environment or function.
        name: What errors call it.

    Raises:
        CannotSave: it holds something else.
    """
    encoder = Encoder(_KINDS, plain=True)
    root = encoder.encode(value, name)
    save_arrays(encoder)
    return {"nodes": encoder.nodes, "root": root}


def unpack(tree: State) -> Any:
    """The value that `pack` was given, or one equal to it.

    Raises:
        ValueError: the tree was not made by `pack`.
    """
    try:
        return Decoder(tree["nodes"], _KINDS, plain=True).value(tree["root"])
    except _BROKEN as error:
        raise ValueError(f"state is no packed value: {error!r}") from error
