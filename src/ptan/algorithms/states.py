"""The state of an algorithm, part by part: all of it is checked before any of it is loaded."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from ptan.common.checks import whole_number
from ptan.common.generators import check_generator_state, generator_state

__all__ = ["Part", "counter", "generator", "load_parts", "module", "optimizer", "save_parts"]

Load: TypeAlias = Callable[[], object]


class Part(NamedTuple):
    """Something with a state of its own.

    save     gives the state
    prepare  takes what errors call it and a state, and returns what loads that; it changes nothing,
             and raises ValueError, TypeError or the like where the state does not fit
    """

    save: Callable[[], Any]
    prepare: Callable[[str, Any], Load]


def save_parts(parts: Mapping[str, Part]) -> dict[str, Any]:
    """The states of all parts by name; they share memory with the parts."""
    return {name: part.save() for name, part in parts.items()}


def load_parts(parts: Mapping[str, Part], state: Mapping[str, Any]) -> None:
    """Load the states of all parts, or of none.

    Raises:
        ValueError: one does not fit, is missing, or is of no part.
    """
    if state.keys() != parts.keys():
        raise ValueError(f"state must have the entries {sorted(parts)}, got {sorted(state)}")
    loads = []
    for name, part in parts.items():
        try:
            loads.append(part.prepare(f"state[{name!r}]", state[name]))
        except (AttributeError, KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"state[{name!r}] does not fit: {error}") from None
    for load in loads:
        load()


def module(net: nn.Module) -> Part:
    """The parameters and buffers of a network."""

    def prepare(name: str, state: Mapping[str, Tensor]) -> Load:
        shapes, wanted = (
            {key: tuple(value.shape) for key, value in tensors.items()}
            for tensors in (state, net.state_dict())
        )
        if shapes != wanted:
            differing = sorted(map(str, dict(shapes.items() ^ wanted.items())))
            raise ValueError(f"{name} must be of the same network, differs in {differing}")
        return lambda: net.load_state_dict(state)

    return Part(net.state_dict, prepare)


def counter(owner: object, attribute: str) -> Part:
    """A whole number of at least 0 among the attributes of an object."""

    def prepare(name: str, state: int) -> Load:
        value = whole_number(name, state, least=0)
        return lambda: setattr(owner, attribute, value)

    return Part(lambda: getattr(owner, attribute), prepare)


def generator(rng: np.random.Generator | torch.Generator) -> Part:
    """Where a random generator stands.

    One of PyTorch does not take the state of another kind of device, with which it has nothing in
    common, and goes on as it was seeded.
    """
    if isinstance(rng, np.random.Generator):
        bits = rng.bit_generator

        def prepare(name: str, state: dict[str, Any]) -> Load:
            check_generator_state(rng, state, name)
            return lambda: setattr(bits, "state", state)

        return Part(lambda: generator_state(rng), prepare)

    def prepare_torch(_name: str, state: Mapping[str, Any]) -> Load:
        if state["device"] != rng.device.type:
            return lambda: None
        value = state["state"].cpu()
        torch.Generator(rng.device).set_state(value)
        return lambda: rng.set_state(value)

    return Part(lambda: {"device": rng.device.type, "state": rng.get_state()}, prepare_torch)


def optimizer(of: torch.optim.Optimizer) -> Part:
    """An optimizer, whose tensors are put in the order in memory that their parameters have.

    PyTorch's fused optimizers on the CPU read a parameter and what belongs to it side by side, in
    the order of memory and not of indices. A state that was written to a file may have lost the
    order that channels last gives to parameters; loaded as it is, each weight would move by what
    belongs to another one.
    """

    def prepare(name: str, state: Mapping[str, Any]) -> Load:
        groups, kept, own = state["param_groups"], state["state"], of.state_dict()
        parameters = [p for group in of.param_groups for p in group["params"]]
        if [g["params"] for g in groups] != [g["params"] for g in own["param_groups"]]:
            raise ValueError(f"{name} must be of the same network: its groups differ")
        if not kept.keys() <= set(range(len(parameters))):  # none for those without gradients
            raise ValueError(f"{name} must be of the same network: it has other parameters")
        fitted = {i: _fitted(f"{name} of {i}", parameters[i], kept[i]) for i in kept}
        # Another version of PyTorch may have had fewer settings.
        filled = [{**one, **group} for one, group in zip(own["param_groups"], groups, strict=True)]
        loaded = {"state": fitted, "param_groups": copy.deepcopy(filled)}
        return lambda: of.load_state_dict(loaded)

    return Part(of.state_dict, prepare)


def _fitted(name: str, parameter: Tensor, entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of what an optimizer keeps for a parameter."""
    fitted = {}
    for entry, value in entries.items():
        if value.ndim and value.shape != parameter.shape:
            wanted, got = tuple(parameter.shape), tuple(value.shape)
            raise ValueError(f"{name}: {entry} must have the shape {wanted}, got {got}")
        ordered = torch.empty_like(parameter if value.ndim else value, dtype=value.dtype)
        fitted[entry] = ordered.copy_(value).requires_grad_(False)
    return fitted
