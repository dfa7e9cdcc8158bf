"""The state of an algorithm, part by part: all of it is checked before any of it is loaded."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ptan.common.checks import whole_number
from ptan.common.generators import check_generator_state, generator_state

__all__ = [
    "CounterState",
    "ModuleState",
    "NumpyGeneratorState",
    "StatePart",
    "TorchGeneratorState",
    "fitted_optimizer_state",
    "load_parts",
    "save_parts",
]


class StatePart(Protocol):
    """Something with a state of its own."""

    def state_dict(self) -> Any:
        """The state."""

    def prepare(self, name: str, state: Any, /) -> Callable[[], object]:
        """Check a state and return what will load it; nothing is changed before that is called.

        Raises:
            ValueError: it does not fit. The text calls it `state[name]`.
        """


def save_parts(parts: Mapping[str, StatePart]) -> dict[str, Any]:
    """The states of all parts by name."""
    return {name: part.state_dict() for name, part in parts.items()}


def load_parts(parts: Mapping[str, StatePart], state: Mapping[str, Any]) -> None:
    """Load the states of all parts, or of none.

    Raises:
        ValueError: one does not fit, is missing, or is of no part.
    """
    if state.keys() != parts.keys():
        raise ValueError(f"state must have the entries {sorted(parts)}, got {sorted(state)}")
    loads = [part.prepare(name, state[name]) for name, part in parts.items()]
    for load in loads:
        load()


class ModuleState:
    """The parameters and buffers of a module."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def state_dict(self) -> dict[str, Tensor]:
        """Shares memory with the module."""
        return self._module.state_dict()

    def prepare(self, name: str, state: Mapping[str, Tensor]) -> Callable[[], object]:
        """Check that names and shapes of the tensors are those of the module."""
        shapes, wanted = _shapes(state), _shapes(self._module.state_dict())
        if shapes != wanted:
            differing = sorted(map(str, dict(shapes.items() ^ wanted.items())))
            raise ValueError(f"state[{name!r}] must be of the same network, differs in {differing}")
        return lambda: self._module.load_state_dict(state)


class CounterState:
    """A counter: a whole number of at least 0 among the attributes of an object."""

    def __init__(self, owner: object, attribute: str) -> None:
        self._owner, self._attribute = owner, attribute

    def state_dict(self) -> int:
        """Its value."""
        value: int = getattr(self._owner, self._attribute)
        return value

    def prepare(self, name: str, state: int) -> Callable[[], object]:
        """Check that it is a whole number."""
        try:
            value = whole_number(f"state[{name!r}]", state, least=0)
        except TypeError as error:
            raise ValueError(str(error)) from None
        return lambda: setattr(self._owner, self._attribute, value)


class NumpyGeneratorState:
    """Where a NumPy generator stands."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return generator_state(self._rng)

    def prepare(self, name: str, state: dict[str, Any]) -> Callable[[], object]:
        """Check that it is of a generator of this kind."""
        try:
            check_generator_state(self._rng, state, f"state[{name!r}]")
        except TypeError as error:
            raise ValueError(str(error)) from None
        return lambda: setattr(self._rng.bit_generator, "state", state)


class TorchGeneratorState:
    """Where a PyTorch generator stands.

    A state of another kind of device is left alone: the two have no common state, and the generator
    goes on as it was seeded.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def state_dict(self) -> dict[str, Any]:
        """Kind of device, and the state as a tensor."""
        return {"device": self._generator.device.type, "state": self._generator.get_state()}

    def prepare(self, name: str, state: Mapping[str, Any]) -> Callable[[], object]:
        """Check that the generator takes it."""
        device = self._generator.device
        try:
            if state["device"] != device.type:
                return lambda: None
            value = state["state"].cpu()
            torch.Generator(device).set_state(value)
        except (AttributeError, KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"state[{name!r}] must be of a torch.Generator: {error}") from None
        return lambda: self._generator.set_state(value)


def fitted_optimizer_state(
    optimizer: torch.optim.Optimizer, name: str, state: Mapping[str, Any]
) -> dict[str, Any]:
    """A copy of an optimizer's state with every tensor ordered in memory as its parameter is.

    PyTorch's fused optimizers on the CPU read a parameter and what belongs to it side by side, in
    the order of memory and not of indices. A state that was written to a file may have lost the
    order that channels last gives to parameters; loaded as it is, each weight would move by what
    belongs to another one.

    Args:
        optimizer: Will take the state; it is not changed.
        name: What the texts call the state.
        state: What its `state_dict` returned, or that of one for equal parameters.

    Returns:
        The state for `optimizer.load_state_dict`. It shares no memory with the one given.

    Raises:
        ValueError: it belongs to other parameters.
    """
    own = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    try:
        groups, kept = state["param_groups"], state["state"]
        if [g["params"] for g in groups] != [g["params"] for g in own["param_groups"]]:
            raise ValueError("its groups have other parameters")
        if not kept.keys() <= set(range(len(parameters))):  # none for those without gradients
            raise ValueError("it is of other parameters")
        fitted = {i: _fitted(i, parameters[i], entries) for i, entries in kept.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"state[{name!r}] must be of the same network: {error}") from None
    # Another version of PyTorch may have had fewer settings.
    filled = [{**one, **group} for one, group in zip(own["param_groups"], groups, strict=True)]
    return {"state": fitted, "param_groups": copy.deepcopy(filled)}


def _fitted(index: int, parameter: Tensor, entries: Mapping[str, Any]) -> dict[str, Any]:
    """What an optimizer keeps for a parameter."""
    fitted = {}
    for name, value in entries.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} of parameter {index} must be a tensor, got {value!r}")
        if value.ndim and value.shape != parameter.shape:
            raise ValueError(
                f"{name} of parameter {index} must have the shape {tuple(parameter.shape)}, "
                f"got {tuple(value.shape)}"
            )
        if value.ndim:
            ordered = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False)
            fitted[name] = ordered.copy_(value)
        else:
            fitted[name] = value.clone()
    return fitted


def _shapes(state: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        return {}
    return {key: tuple(value.shape) for key, value in state.items()}
