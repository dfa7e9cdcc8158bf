"""Agents for discrete actions: a model's scores or probabilities through a selector."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptan.actions import ProbabilityActionSelector, Selector
from ptan.actions.policy import AgentStates, PolicyStep
from ptan.agent.base import (
    Model,
    NetworkAgent,
    Preprocessor,
    States,
    batch_size,
    check_rows,
    pair_of,
    to_numpy,
)
from ptan.agent.preprocessing import default_states_preprocessor
from ptan.common.checks import checked_callable
from ptan.common.types import Actions, Array


class DQNAgent(NetworkAgent):
    """Acts on the values of a Q-network (Mnih et al. 2015).

    Args:
        dqn_model: Observations to scores (B, A), a tensor or an array; any callable.
        action_selector: Scores to actions, such as `EpsilonGreedyActionSelector`.
        device, preprocessor: As for all agents.
        model: Another name for `dqn_model`.
        env_actions: Turns the selector's actions into the environment's; None: they are equal.
    """

    def __init__(
        self,
        dqn_model: Model | None = None,
        action_selector: Selector | None = None,
        device: torch.device | str = "cpu",
        preprocessor: Preprocessor | None = default_states_preprocessor,
        *,
        model: Model | None = None,
        env_actions: Callable[[Actions], Actions] | None = None,
    ) -> None:
        if dqn_model is not None and model is not None:
            raise TypeError("DQNAgent got both dqn_model and model; they mean the same")
        chosen = checked_callable("dqn_model", model if dqn_model is None else dqn_model)
        super().__init__(chosen, device, preprocessor)
        self.action_selector: Selector = checked_callable("action_selector", action_selector)
        self._env_actions = env_actions

    @property
    def dqn_model(self) -> Model:
        """The model, under its name in the constructor."""
        return self.model

    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        # All in one method: with one environment every call shows.
        is_list = observations.__class__ is list
        n_rows = len(observations) if is_list else batch_size(observations)
        scores = to_numpy(self._forward(observations))
        if scores.ndim == 0 or len(scores) != n_rows:
            check_rows(scores, n_rows, "the model")
        actions = self.action_selector(scores)
        if actions.__class__ is not np.ndarray or len(actions) != n_rows:
            check_rows(actions, n_rows, "the action selector")
        env_actions = actions if self._env_actions is None else self._env_actions(actions)
        states = [None] * n_rows if agent_states is None else agent_states
        return PolicyStep(actions, env_actions, states, {})


class PolicyAgent(NetworkAgent):
    """Acts on the probabilities of a policy over discrete actions.

    Its steps have the column "log_probs", (B,) float32.

    Args:
        model: Observations to (B, A) probabilities, or logits; any callable.
        action_selector: Probabilities to actions; None is a fresh `ProbabilityActionSelector`.
        apply_softmax: True for a model that returns logits.
        device, preprocessor: As for all agents.
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
        if action_selector is None:
            action_selector = ProbabilityActionSelector()
        self.action_selector: Selector = checked_callable("action_selector", action_selector)
        self.apply_softmax = apply_softmax

    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        output, states, n_rows = self._asked(observations, agent_states)
        actions, columns = self._choose(output, n_rows)
        return PolicyStep(actions, actions, states, columns)

    def _choose(self, policy: Any, n_rows: int) -> tuple[Actions, dict[str, NDArray[np.float32]]]:
        """Actions (B,), and the column of their log-probabilities if they are numbers."""
        if self.apply_softmax:
            # In float32 at least: rows of half precision do not sum to 1 closely enough.
            # A model may return arrays, also read-only ones.
            logits = default_states_preprocessor(policy).detach()
            exact = logits if logits.dtype == torch.float64 else logits.float()
            policy = torch.softmax(exact, dim=-1)
        probabilities = to_numpy(policy)
        check_rows(probabilities, n_rows, "the model")
        actions = self.action_selector(probabilities)
        check_rows(actions, n_rows, "the action selector")
        indices = np.asarray(actions)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            return actions, {}
        with np.errstate(divide="ignore"):  # −inf for an action that the policy ruled out
            log_probs = np.log(probabilities[np.arange(n_rows), indices])
        return actions, {"log_probs": log_probs.astype(np.float32, copy=False)}


class ActorCriticAgent(PolicyAgent):
    """Acts as `PolicyAgent`, and keeps the critic's values in the agent states.

    `ExperienceSourceRollouts` reads them there, so the values that a rollout learns from are those
    of the network that acted (Mnih et al. 2016). Its steps have the columns "values" and
    "log_probs", (B,) float32.

    Arguments as for `PolicyAgent`, but the model returns a pair: (B, A) probabilities or logits,
    and values (B,) or (B, 1).
    """

    def step(self, observations: States, agent_states: AgentStates = None) -> PolicyStep:
        output, _, n_rows = self._asked(observations, agent_states)
        policy, value = pair_of(output, "policy, values")
        actions, columns = self._choose(policy, n_rows)
        values = _one_value_per_row(value, n_rows)
        columns["values"] = values.astype(np.float32)
        return PolicyStep(actions, actions, values.astype(float).tolist(), columns)

    def values(
        self,
        observations: States,
        agent_states: AgentStates = None,  # noqa: ARG002 - the old values are not needed
    ) -> NDArray[np.float32]:
        """The critic's values of B observations (B,), without choosing actions."""
        _, value = pair_of(self._forward(observations), "policy, values")
        return _one_value_per_row(value, batch_size(observations)).astype(np.float32)


def _one_value_per_row(output: Any, n_rows: int) -> Array:
    values = to_numpy(output)
    if values.shape not in ((n_rows,), (n_rows, 1)):
        raise ValueError(
            f"the model must return one value per observation, ({n_rows},) or ({n_rows}, 1), "
            f"got {values.shape}"
        )
    return values.reshape(-1)
