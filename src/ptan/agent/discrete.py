"""Agents for discrete actions: a model's scores or probabilities through a selector."""

from typing import Any

import torch
from numpy.typing import NDArray

from ptan.actions import ProbabilityActionSelector, Selector
from ptan.agent.base import (
    AgentStates,
    Model,
    NetworkAgent,
    Preprocessor,
    States,
    batch_size,
    check_rows,
    pair_of,
    to_numpy,
    unchanged,
)
from ptan.agent.preprocessing import default_states_preprocessor
from ptan.common.checks import checked_callable


class DQNAgent(NetworkAgent):
    """Acts on the values of a Q-network (Mnih et al. 2015).

    Args:
        dqn_model: Observations to scores (B, A), a tensor or an array; any callable.
        action_selector: Scores to actions, such as `EpsilonGreedyActionSelector`.
        device: Where the model lives.
        preprocessor: Observations to the model's input; None passes them through.
        model: Another name for `dqn_model`.

    Raises:
        TypeError: the model is given twice or not at all, the selector is missing, or one of them
            cannot be called.
    """

    def __init__(
        self,
        dqn_model: Model | None = None,
        action_selector: Selector | None = None,
        device: torch.device | str = "cpu",
        preprocessor: Preprocessor | None = default_states_preprocessor,
        *,
        model: Model | None = None,
    ) -> None:
        if dqn_model is not None and model is not None:
            raise TypeError("DQNAgent got both dqn_model and model; they mean the same")
        chosen = model if dqn_model is None else dqn_model
        if chosen is None:
            raise TypeError("DQNAgent needs a dqn_model: model must be callable, got None")
        if action_selector is None:
            raise TypeError(
                "DQNAgent needs an action_selector: action_selector must be callable, got None"
            )
        super().__init__(chosen, device, preprocessor)
        self.action_selector: Selector = checked_callable("action_selector", action_selector)

    @property
    def dqn_model(self) -> Model:
        """The model, under its name in the constructor."""
        return self.model

    def __call__(self, observations: States, agent_states: AgentStates = None) -> tuple[Any, Any]:
        """Choose an action for every environment.

        Args:
            observations: A list of B observations, or a batched array.
            agent_states: B agent states, which are handed back unchanged.

        Returns:
            The selector's (B,) actions, and B agent states: None each if none were given.

        Raises:
            ValueError: the model or the selector did not return B rows.
        """
        scores = to_numpy(self._forward(observations))
        is_list = observations.__class__ is list
        n_rows = len(observations) if is_list else batch_size(observations)
        if scores.ndim == 0 or len(scores) != n_rows:
            check_rows(scores, n_rows, "the model")
        actions = self.action_selector(scores)
        try:
            right = len(actions) == n_rows
        except TypeError:
            right = False
        if not right:
            check_rows(actions, n_rows, "the action selector")
        return actions, [None] * n_rows if agent_states is None else agent_states


class PolicyAgent(NetworkAgent):
    """Acts on the probabilities of a policy over discrete actions.

    Args:
        model: Observations to (B, A) probabilities, or logits; any callable.
        action_selector: Probabilities to actions; None is a fresh `ProbabilityActionSelector`.
        device: Where the model lives.
        apply_softmax: True for a model that returns logits.
        preprocessor: Observations to the model's input; None passes them through.
    """

    def __init__(
        self,
        model: Model,
        action_selector: Selector | None = None,
        device: torch.device | str = "cpu",
        apply_softmax: bool = False,
        preprocessor: Preprocessor | None = default_states_preprocessor,
    ) -> None:
        super().__init__(model, device, preprocessor)
        self.action_selector: Selector = (
            ProbabilityActionSelector()
            if action_selector is None
            else checked_callable("action_selector", action_selector)
        )
        self.apply_softmax = apply_softmax

    def __call__(self, observations: States, agent_states: AgentStates = None) -> tuple[Any, Any]:
        """Choose an action for every environment.

        Args:
            observations: A list of B observations, or a batched array.
            agent_states: B agent states, which are handed back unchanged.

        Returns:
            The selector's (B,) actions, and B agent states: None each if none were given.

        Raises:
            ValueError: the model or the selector did not return B rows, or the rows are no
                probabilities.
        """
        n_rows = batch_size(observations)
        probabilities = _probabilities(self._forward(observations), n_rows, self.apply_softmax)
        actions = self.action_selector(probabilities)
        check_rows(actions, n_rows, "the action selector")
        return actions, unchanged(agent_states, n_rows)


class ActorCriticAgent(NetworkAgent):
    """Acts as `PolicyAgent`, and keeps the critic's values in the agent states.

    `ExperienceSourceRollouts` reads them there, so the values that a rollout learns from are those
    of the network that acted (Mnih et al. 2016).

    Args:
        model: Observations to a pair: (B, A) probabilities or logits, and values (B,) or (B, 1).
        action_selector: Probabilities to actions; None is a fresh `ProbabilityActionSelector`.
        device: Where the model lives.
        apply_softmax: True for a model that returns logits.
        preprocessor: Observations to the model's input; None passes them through.
    """

    def __init__(
        self,
        model: Model,
        action_selector: Selector | None = None,
        device: torch.device | str = "cpu",
        apply_softmax: bool = False,
        preprocessor: Preprocessor | None = default_states_preprocessor,
    ) -> None:
        super().__init__(model, device, preprocessor)
        self.action_selector: Selector = (
            ProbabilityActionSelector()
            if action_selector is None
            else checked_callable("action_selector", action_selector)
        )
        self.apply_softmax = apply_softmax

    def __call__(
        self,
        observations: States,
        agent_states: AgentStates = None,  # noqa: ARG002 - the old values are not needed
    ) -> tuple[Any, list[float]]:
        """Choose an action for every environment.

        Args:
            observations: A list of B observations, or a batched array.
            agent_states: Not used: the values are those of these observations.

        Returns:
            The selector's (B,) actions, and the values of the observations, a list of B floats.

        Raises:
            ValueError: the model or the selector did not return B rows, or the rows are no
                probabilities.
        """
        n_rows = batch_size(observations)
        policy, value = pair_of(self._forward(observations), "policy, values")
        probabilities = _probabilities(policy, n_rows, self.apply_softmax)
        values = to_numpy(value)
        if values.shape not in ((n_rows,), (n_rows, 1)):
            raise ValueError(
                f"the model must return one value per observation, ({n_rows},) or ({n_rows}, 1), "
                f"got {values.shape}"
            )
        actions = self.action_selector(probabilities)
        check_rows(actions, n_rows, "the action selector")
        return actions, values.reshape(-1).astype(float).tolist()


def _probabilities(output: Any, n_rows: int, apply_softmax: bool) -> NDArray[Any]:
    if apply_softmax:
        # In float32 at least: rows of half precision do not sum to 1 closely enough.
        # A model may return arrays, also read-only ones.
        logits = default_states_preprocessor(output).detach()
        output = torch.softmax(logits if logits.dtype == torch.float64 else logits.float(), dim=-1)
    probabilities = to_numpy(output)
    check_rows(probabilities, n_rows, "the model")
    return probabilities
