# ruff: noqa: ARG002 - kinds share one interface
"""Random generators, and what draws from one of its own: spaces, and Atari's emulator."""

import copy
import functools
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from gymnasium import Space

from ptan.common._object_graph import (
    Change,
    Decoder,
    Encoder,
    KeptKind,
    Kind,
    State,
    cannot_save,
    name_of,
)

# Where NumPy's C code reads on in the numbers drawn ahead; it takes any position on trust.
_POSITIONS = {"MT19937": (("state", "pos"), 624), "Philox": (("buffer_pos",), 4)}


class Generators(Kind):
    """Random generators of NumPy and of Python; the existing one takes the state over."""

    name = "rng"
    kept = True

    def handles(self, value: Any) -> bool:
        return type(value) in (np.random.Generator, np.random.RandomState, random.Random)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        if type(value) is random.Random:
            return {"type": "random.Random", "state": value.getstate()}
        bits = value._bit_generator if _legacy(value) else value.bit_generator
        name = type(bits).__name__
        if getattr(np.random, name, None) is not type(bits):
            raise cannot_save(bits, path, "NumPy's own bit generators can")
        node: State = {"type": type(value).__name__, "bits": name}
        if _legacy(value):
            return {**node, "state": copy.deepcopy(value.get_state(legacy=False))}
        seed = getattr(bits, "seed_seq", None)
        # `spawn()` draws from the seed sequence, not from the state.
        return {
            **node,
            "state": copy.deepcopy(bits.state),
            "seed": copy.deepcopy(seed.state) if isinstance(seed, np.random.SeedSequence) else None,
        }

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if not self.handles(live):
            return None
        if node["type"] == "random.Random" or type(live) is random.Random:
            return () if node["type"] == "random.Random" and "bits" not in node else None
        if type(live).__name__ != node["type"]:
            return None
        bits = live._bit_generator if _legacy(live) else live.bit_generator
        return () if type(bits).__name__ == node["bits"] else None

    def make(self, node: State, decoder: Decoder) -> Any:
        if node["type"] == "random.Random":
            made: Any = random.Random()
        elif node["bits"] in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
            bits = getattr(np.random, node["bits"])(0)
            legacy = node["type"] == "RandomState"
            made = (np.random.RandomState if legacy else np.random.Generator)(bits)
        else:
            raise ValueError(f"state holds an unknown bit generator {node['bits']!r}")
        self.plan(node, made, decoder).make()
        return made

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        state = copy.deepcopy(node["state"])
        if type(live) is random.Random:
            return _checked(live.setstate, state, random.Random().setstate)
        _check_position(state, node["bits"])
        if _legacy(live):
            return _checked(live.set_state, state, np.random.RandomState().set_state)
        bits = live.bit_generator
        seed = node["seed"] and np.random.SeedSequence(**node["seed"])
        # The way of pickle, and the only one that also sets the seed sequence.
        pair = (state, seed or bits.seed_seq)
        return _checked(bits.__setstate__, pair, type(bits)(0).__setstate__)


def _check_position(state: Any, bits: str) -> None:
    if bits not in _POSITIONS:
        return
    path, last = _POSITIONS[bits]
    position = functools.reduce(lambda inner, key: inner[key], path, state)
    if not 0 <= position <= last:
        raise ValueError(f"state holds a {bits} generator at {position!r}, beyond its {last}")


def _legacy(value: Any) -> bool:
    return isinstance(value, np.random.RandomState)


def _checked(load: Callable[[Any], None], state: Any, trial: Callable[[Any], None]) -> Change:
    """A change by `load`, after the same was tried on an object that nobody needs."""
    trial(state)
    return Change(lambda: load(state))


class AtariGames(KeptKind):
    """The emulator behind an Atari game, with its random generator."""

    name = "ale"

    def handles(self, value: Any) -> bool:
        kind = type(value)
        return kind.__name__ == "ALEInterface" and kind.__module__.startswith("ale_py")

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        state = value.cloneState(include_rng=True).serialize()
        return {"state": np.frombuffer(state, np.uint8).copy()}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        return () if self.handles(live) else None

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        state_class = type(live.cloneState())  # whoever has an emulator has imported ale_py
        state = state_class(np.asarray(node["state"], np.uint8).tobytes())
        before = live.cloneState(include_rng=True)
        return Change(lambda: live.restoreState(state), lambda: live.restoreState(before))


class Spaces(KeptKind):
    """Spaces: settings, but for the random generators that `sample()` draws from."""

    name = "space"

    def handles(self, value: Any) -> bool:
        return isinstance(value, Space)

    def save(self, value: Any, encoder: Encoder, path: str) -> State:
        parts = [encoder.encode(part, f"{path} part {i}") for i, part in enumerate(_parts(value))]
        rng = encoder.encode(value._np_random, f"{path}.np_random")
        return {"class": name_of(type(value)), "rng": rng, "parts": parts}

    def pairs(self, node: State, live: Any) -> Iterable[tuple[Any, Any]] | None:
        if not self.handles(live) or name_of(type(live)) != node["class"]:
            return None
        return [(node["rng"], live._np_random), *zip(node["parts"], _parts(live), strict=True)]

    def plan(self, node: State, live: Any, decoder: Decoder) -> Change:
        rng = decoder.value(node["rng"])
        for part in node["parts"]:
            decoder.value(part)
        if not isinstance(rng, np.random.Generator | None):
            raise ValueError(f"state gives a {node['class']} a generator that is none")
        return Change(lambda: setattr(live, "_np_random", rng))


def _parts(space: Any) -> list[Any]:
    """The spaces that a space is made of."""
    held: list[Any] = []
    for part in vars(space).values():
        inner = part.values() if isinstance(part, dict) else part
        held += [part] if isinstance(part, Space) else list(inner) if _several(inner) else []
    return [part for part in held if isinstance(part, Space)]


def _several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, np.ndarray | str)
