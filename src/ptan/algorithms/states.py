"""Parts of an algorithm's state, looked through before any of them is loaded."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptan.common.generators import check_generator_state

__all__ = ["check_generators", "check_same_tensors", "fitted_optimizer_state"]


def check_same_tensors(name: str, state: Any, expected: Mapping[str, Tensor]) -> None:
    """Raise unless a network's state has the tensors that the network has.

    Args:
        name: What the texts call the state.
        state: What a network's `state_dict` returned.
        expected: That of the network that will take it.

    Raises:
        ValueError: it has others.
    """
    shapes = _shapes(state)
    wanted = _shapes(expected)
    if shapes != wanted:
        differing = sorted(map(str, dict(shapes.items() ^ wanted.items())))
        raise ValueError(f"state[{name!r}] must be of the same network, differs in {differing}")


def check_generators(
    state: Mapping[str, Any], numpy: np.random.Generator | None, noise: torch.Generator
) -> None:
    """Raise unless the states of the random generators fit those that will take them.

    Args:
        state: Has the entries `selector_rng`, `noise_rng` and `noise_device`.
        numpy: What takes `selector_rng`; None if nothing does.
        noise: What takes `noise_rng`, if that is of the same kind of device.

    Raises:
        ValueError: they do not. Neither generator is touched.
    """
    try:
        if numpy is not None:
            check_generator_state(numpy, state["selector_rng"], "state['selector_rng']")
        if state["noise_device"] == noise.device.type:
            torch.Generator(noise.device).set_state(state["noise_rng"].cpu())
    except (AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(f"state must have the states of random generators: {error}") from None


def fitted_optimizer_state(optimizer: torch.optim.Optimizer, state: Any) -> dict[str, Any]:
    """A copy of an optimiser's state with every tensor ordered in memory as its parameter is.

    PyTorch's fused optimisers on the CPU read a parameter and what belongs to it side by side, in
    the order of memory and not of indices. A state that was written to a file may have lost the
    order that channels last gives to parameters; loaded as it is, each weight would move by what
    belongs to another one.

    Args:
        optimizer: Will take the state; it is not changed.
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
        raise ValueError(f"state['optimizer'] must be of the same network: {error}") from None
    # Another version of PyTorch may have had fewer settings.
    filled = [{**one, **group} for one, group in zip(own["param_groups"], groups, strict=True)]
    return {"state": fitted, "param_groups": copy.deepcopy(filled)}


def _fitted(index: int, parameter: Tensor, entries: Mapping[str, Any]) -> dict[str, Any]:
    """What an optimiser keeps for a parameter."""
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
