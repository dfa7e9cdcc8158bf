"""The state of an algorithm, part by part: all of it is loaded, or none."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ptan.common.checks import check_entries, whole_number
from ptan.common.generators import generator_state
from ptan.common.types import SavedState, State

__all__ = ["Part", "counter", "generator", "load_parts", "module", "optimizer", "save_parts"]


class Part(NamedTuple):
    """Something with a state of its own; `load` may raise half-way."""

    save: Callable[[], Any]
    load: Callable[[Any], object]


def save_parts(parts: Mapping[str, Part]) -> State:
    """The states of all parts by name; they share memory with the parts."""
    return {name: part.save() for name, part in parts.items()}


def load_parts(parts: Mapping[str, Part], state: SavedState) -> None:
    """Load the states of all parts, or of none.

    Raises:
        ValueError: one does not fit, is missing, or is of no part.
    """
    check_entries(state, parts)
    before = copy.deepcopy(save_parts(parts))
    for name, part in parts.items():
        try:
            part.load(state[name])
        except Exception as error:  # PyTorch and NumPy raise any kind
            for other in parts:
                parts[other].load(before[other])
            reason = " ".join(str(error).split())
            raise ValueError(f"state[{name!r}] does not fit: {reason}") from None


def module(net: nn.Module) -> Part:
    """The parameters and buffers of a network."""
    return Part(net.state_dict, net.load_state_dict)


def counter(owner: object, attribute: str) -> Part:
    """A whole number of at least 0 among the attributes of an object."""

    def load(state: object) -> None:
        setattr(owner, attribute, whole_number(attribute, state, least=0))

    return Part(lambda: getattr(owner, attribute), load)


def generator(rng: np.random.Generator | torch.Generator) -> Part:
    """Where a random generator stands.

    One of PyTorch does not take the state of another kind of device, with which it has nothing in
    common, and goes on as it was seeded.
    """
    if isinstance(rng, np.random.Generator):
        return Part(
            lambda: generator_state(rng), lambda state: setattr(rng.bit_generator, "state", state)
        )

    def load(state: SavedState) -> None:
        if state["device"] == rng.device.type:
            rng.set_state(state["state"].cpu())

    return Part(lambda: {"device": rng.device.type, "state": rng.get_state()}, load)


def optimizer(of: torch.optim.Optimizer) -> Part:
    """An optimizer, whose tensors are put in the order in memory that their parameters have.

    PyTorch's fused optimizers on the CPU read a parameter and what belongs to it side by side, in
    the order of memory and not of indices. A state that was written to a file may have lost the
    order that channels last gives to parameters; loaded as it is, each weight would move by what
    belongs to another one.
    """

    def load(state: SavedState) -> None:
        parameters = [one for group in of.param_groups for one in group["params"]]
        kept = {i: _fitted(parameters[i], entries) for i, entries in state["state"].items()}
        of.load_state_dict({**state, "state": kept})

    return Part(of.state_dict, load)


def _fitted(parameter: Tensor, entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of what an optimizer keeps for a parameter; RuntimeError where sizes differ."""
    fitted = {}
    for name, value in entries.items():
        ordered = torch.empty_like(parameter if value.ndim else value, dtype=value.dtype)
        fitted[name] = ordered.copy_(value.reshape(ordered.shape))
    return fitted
