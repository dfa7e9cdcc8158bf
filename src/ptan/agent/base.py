"""The agent's contract, and what all agents around a model share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from ptan.actions.policy import AgentStates, PolicyStep
from ptan.agent.preprocessing import default_states_preprocessor
from ptan.common.checks import checked_callable
from ptan.common.types import Actions, Array, Observation, Observations

States: TypeAlias = Sequence[Observation] | Array | torch.Tensor | Mapping[str, Observations]
"""A batch of observations: a list of them, or what a vector environment returns."""

Model: TypeAlias = Callable[..., Any]
Preprocessor: TypeAlias = Callable[[Any], Any]

_FLOAT32, _UINT8 = np.dtype(np.float32), np.dtype(np.uint8)


class BaseAgent(ABC):
    """Decides what to do in a batch of environments; subclass it for an agent of your own.

    A subclass needs no `super().__init__()`.
    """

    def initial_state(self) -> Any:
        """The agent state at the start of an episode of one environment."""
        return None

    @abstractmethod
    def __call__(
        self, observations: States, agent_states: AgentStates = None
    ) -> tuple[Actions, Any]:
        """Choose an action for every environment.

        Takes a list of B observations, or a batched array of a vector environment, and B agent
        states, as the call before returned them, or None for all new. Returns B actions and B new
        agent states, each an array or a list.
        """

    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        """Choose as the agent does when called, and say what else belongs to the decision."""
        actions, states = self(observations, agent_states)
        return PolicyStep(actions, actions, states, {})


class NetworkAgent(BaseAgent):
    """What agents around one model share: preprocessing, the device, no gradients."""

    def __init__(
        self, model: Model, device: torch.device | str, preprocessor: Preprocessor | None
    ) -> None:
        self.model: Model = checked_callable("model", model)
        self.device = torch.device(device)
        self.preprocessor = preprocessor

    @property
    def device(self) -> torch.device:
        """Where the model gets its observations."""
        return self._device

    @device.setter
    def device(self, device: torch.device | str) -> None:
        self._device = torch.device(device)
        self._on_cpu = self._device.type == "cpu"

    def __call__(
        self, observations: States, agent_states: AgentStates = None
    ) -> tuple[Actions, Any]:
        """Choose an action for every environment, as `BaseAgent` says."""
        decision = self.step(observations, agent_states)
        return decision.env_actions, decision.states

    @abstractmethod
    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        """Choose as when called, and say what else belongs to the decision."""

    def _asked(
        self, observations: States, agent_states: AgentStates
    ) -> tuple[Any, AgentStates, int]:
        """What the model says of B observations, their agent states so far, and B."""
        n_rows = batch_size(observations)
        output = self._forward(observations)
        return output, [None] * n_rows if agent_states is None else agent_states, n_rows

    def _forward(self, observations: States) -> Any:
        # The same as torch.no_grad() at half the cost; not inference_mode, whose tensors fail in
        # a later backward when the user's network caches them.
        with torch.set_grad_enabled(False):
            if (
                observations.__class__ is list
                and len(observations) == 1
                and self._on_cpu
                and self.preprocessor is default_states_preprocessor
            ):
                # One environment is the case where a microsecond here is a few percent.
                only = observations[0]
                if (
                    only.__class__ is np.ndarray
                    and (only.dtype is _FLOAT32 or only.dtype is _UINT8)
                    and only.flags.carray
                ):
                    return self.model(torch.from_numpy(only[None]))
            if self.preprocessor is None:
                return self.model(observations)
            states = self.preprocessor(observations)
            if not (self._on_cpu and type(states) is torch.Tensor and states.is_cpu):
                states = move_to(states, self._device)
            return self.model(states)


def move_to(value: Any, device: torch.device) -> Any:
    """Move the tensors in nested dicts, tuples and lists."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: move_to(item, device) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [move_to(item, device) for item in value]
        if isinstance(value, list):
            return items
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def to_numpy(output: Any) -> Array:
    """A model's output as an array, half precision as float32; may share the tensor's memory."""
    if isinstance(output, torch.Tensor):
        if output.dtype is torch.float32:
            try:
                array: Array = output.numpy()
                return array
            except (RuntimeError, TypeError):  # it requires gradients, or is on another device
                pass
        elif output.dtype in (torch.float16, torch.bfloat16):
            output = output.float()
        output = output.detach().cpu().numpy()
    return np.asarray(output)


def batch_size(observations: Observations) -> int:
    """How many observations a list, an array, or a dict or tuple of batched arrays holds."""
    if type(observations) in (list, np.ndarray):  # nearly always, so before the slower checks
        return len(observations)
    while isinstance(observations, Mapping | tuple):
        parts = observations.values() if isinstance(observations, Mapping) else observations
        if not parts:
            raise ValueError("observations must not be empty")
        observations = next(iter(parts))
    return len(observations)


def pair_of(output: Any, names: str) -> tuple[Any, Any]:
    """The two outputs of a model; a tensor is no pair, also if it has two rows."""
    if isinstance(output, list | tuple) and len(output) == 2:
        return output[0], output[1]
    raise TypeError(f"the model must return a pair ({names}), got {output!r}")


def check_rows(output: Any, n_rows: int, what: str) -> None:
    """Raise ValueError unless what `what` returned has one row per observation."""
    shape = np.shape(output)
    n_found = shape[0] if shape else 0
    if n_found != n_rows:
        raise ValueError(
            f"{what} returned {n_found} rows for {n_rows} observations, in shape {shape}; it must "
            "return one row per observation"
        )
