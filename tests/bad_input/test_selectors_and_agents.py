"""Selectors, schedules, noise, agents and target networks."""

import numpy as np
import torch
from torch import nn

from ptan.actions import (
    ActionBounds,
    ArgmaxActionSelector,
    EpsilonGreedyActionSelector,
    EpsilonTracker,
    GaussianNoise,
    OrnsteinUhlenbeckProcess,
    ProbabilityActionSelector,
)
from ptan.agent import (
    ActorCriticAgent,
    DDPGAgent,
    DQNAgent,
    PolicyAgent,
    SACAgent,
    TargetNet,
)
from refusals import INF, NAN, assert_tells, table

ARGMAX = ArgmaxActionSelector()
GREEDY = EpsilonGreedyActionSelector(0.5, rng=0)
PROBABILITY = ProbabilityActionSelector(rng=0)
TWO = [np.zeros(3, np.float32)] * 2  # observations
SHAPE = r"\(batch, actions\)"


def setting_epsilon(value):
    selector = EpsilonGreedyActionSelector(0.5)
    try:
        selector.epsilon = value
    finally:
        assert selector.epsilon == 0.5


def inner_that_gives(actions):
    return EpsilonGreedyActionSelector(0.5, lambda scores: actions)(np.zeros((2, 3)))


def a_row(*probabilities):
    return lambda: PROBABILITY(np.array([[0.5, 0.5], probabilities]))


@table(
    ("argmax-1d", lambda: ARGMAX(np.zeros(3)), ValueError, "scores", r"got \(3,\)", SHAPE),
    ("argmax-3d", lambda: ARGMAX(np.zeros((1, 2, 3))), ValueError, "scores", r"\(1, 2, 3\)", SHAPE),
    ("argmax-no-action", lambda: ARGMAX(np.zeros((2, 0))), ValueError, "scores", r"\(2, 0\)",
     "at least one action"),
    ("argmax-none", lambda: ARGMAX(None), ValueError, "scores", r"got \(\)", SHAPE),
    ("argmax-nan", lambda: ARGMAX(np.array([[1, 2], [NAN, 1]])), ValueError, "scores",
     r"\[nan, 1.0\] in row 1", "must not be NaN"),
    ("argmax-text", lambda: ARGMAX(np.array([["a", "b"]])), TypeError, "scores", "'a'",
     "must be numbers"),
    ("argmax-objects", lambda: ARGMAX(np.array([[1, None]])), TypeError, "scores", "None",
     "must be numbers"),
    ("argmax-ragged", lambda: ARGMAX([[1, 2], [3]]), ValueError, "scores", r"\[\[1, 2\], \[3\]\]",
     "one length"),
    ("greedy-1d", lambda: GREEDY(np.zeros(3)), ValueError, "scores", r"got \(3,\)", SHAPE),
    ("greedy-nan", lambda: GREEDY(np.array([[NAN, 1]])), ValueError, "scores", "nan.* in row 0",
     "must not be NaN"),
    ("greedy-inner-count", lambda: inner_that_gives([0]), ValueError, "inner selector",
     r"shape \(1,\)", "2 integers"),
    ("greedy-inner-floats", lambda: inner_that_gives(np.zeros(2)), ValueError, "inner selector",
     "float64", "2 integers"),
    ("greedy-inner-no-callable", lambda: EpsilonGreedyActionSelector(0.1, 3), TypeError,
     "selector", "got 3", "callable"),
    ("epsilon-above", lambda: EpsilonGreedyActionSelector(1.1), ValueError, "epsilon", "got 1.1",
     r"\[0, 1\]"),
    ("epsilon-below", lambda: EpsilonGreedyActionSelector(-0.1), ValueError, "epsilon",
     "got -0.1", r"\[0, 1\]"),
    ("epsilon-nan", lambda: EpsilonGreedyActionSelector(NAN), ValueError, "epsilon", "got nan",
     r"\[0, 1\]"),
    ("epsilon-text", lambda: EpsilonGreedyActionSelector("0.1"), TypeError, "epsilon", "'0.1'",
     "must be a number"),
    ("epsilon-bool", lambda: EpsilonGreedyActionSelector(True), TypeError, "epsilon", "got True",
     "must be a number"),
    ("epsilon-set-above", lambda: setting_epsilon(2), ValueError, "epsilon", "got 2", r"\[0, 1\]"),
    ("epsilon-set-nan", lambda: setting_epsilon(NAN), ValueError, "epsilon", "nan", r"\[0, 1\]"),
    ("epsilon-set-none", lambda: setting_epsilon(None), TypeError, "epsilon", "None", "a number"),
    ("rng-text", lambda: EpsilonGreedyActionSelector(rng="x"), TypeError, "rng", "'x'",
     "Generator, an int or None"),
    ("rng-negative", lambda: ProbabilityActionSelector(rng=-1), ValueError, "rng", "got -1",
     "at least 0"),
    ("probabilities-1d", lambda: PROBABILITY(np.ones(1)), ValueError, "scores", r"\(1,\)", SHAPE),
    ("probabilities-nan", a_row(NAN, 1), ValueError, "row 1 of the probabilities", "nan",
     r"\[0, 1\]"),
    ("probabilities-inf", a_row(INF, 0), ValueError, "row 1 of the probabilities", "inf",
     r"\[0, 1\]"),
    ("probabilities-negative", a_row(-0.5, 1.5), ValueError, "row 1 of the probabilities", "-0.5",
     "must not be negative"),
    ("probabilities-zero", a_row(0, 0), ValueError, "row 1 of the probabilities", "a sum of 0",
     "must sum to 1"),
    ("probabilities-sum", a_row(1, 1), ValueError, "row 1 of the probabilities", "a sum of 2",
     "must sum to 1"),
    ("probabilities-text", lambda: PROBABILITY(np.array([["a"]])), TypeError, "probabilities",
     "'a'", "must be numbers"),
)  # fmt: skip
def test_selectors_refuse(case):
    assert_tells(case)
    scores = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert ARGMAX(scores).tolist() == [1, 0]
    assert PROBABILITY(scores).tolist() == [1, 0]
    assert GREEDY(scores).shape == (2,)


def moved(*frames):
    """A tracker at frame 5, asked for impossible frames."""
    selector = EpsilonGreedyActionSelector()
    tracker = EpsilonTracker(selector, 1.0, 0.0, 10)
    tracker.frame(5)
    try:
        tracker.frame(*frames)
    finally:
        assert selector.epsilon == 0.5


def tracker(*arguments):
    return lambda: EpsilonTracker(EpsilonGreedyActionSelector(), *arguments)


@table(
    ("start", tracker(1.5, 0.1, 10), ValueError, "eps_start", "got 1.5", r"\[0, 1\]"),
    ("final", tracker(1, -0.1, 10), ValueError, "eps_final", "got -0.1", r"\[0, 1\]"),
    ("final-nan", tracker(1, NAN, 10), ValueError, "eps_final", "got nan", r"\[0, 1\]"),
    ("frames-0", tracker(1, 0.1, 0), ValueError, "eps_frames", "got 0", "at least 1"),
    ("frames-half", tracker(1, 0.1, 1.5), ValueError, "eps_frames", "got 1.5", "whole number"),
    ("frames-text", tracker(1, 0.1, "10"), TypeError, "eps_frames", "'10'", "a number"),
    ("selector-none", lambda: EpsilonTracker(None, 1, 0.1, 10), TypeError, "selector", "None",
     "settable epsilon"),
    ("selector-without-epsilon", lambda: EpsilonTracker(ARGMAX, 1, 0.1, 10), TypeError,
     "selector", "ArgmaxActionSelector", "settable epsilon"),
    ("frame-negative", lambda: moved(-1), ValueError, "frame", "got -1", "at least 0"),
    ("frame-nan", lambda: moved(NAN), ValueError, "frame", "got nan", "at least 0"),
    ("frame-none", lambda: moved(None), TypeError, "frame", "got None", "a number"),
)  # fmt: skip
def test_epsilon_trackers_refuse(case):
    assert_tells(case)


@table(
    ("sigma-negative", lambda: GaussianNoise(-1), ValueError, "sigma", "got -1", "at least 0"),
    ("sigma-nan", lambda: GaussianNoise(NAN), ValueError, "sigma", "got nan", "finite"),
    ("sigma-text", lambda: GaussianNoise("a"), TypeError, "sigma", "'a'", "a number"),
    ("sigma-shape", lambda: GaussianNoise(np.ones(3))(np.zeros((2, 2))), ValueError, "sigma",
     r"got shape \(3,\)", r"shape \(2, 2\)"),
    ("low-above-high", lambda: GaussianNoise(1, 1, 0), ValueError, "low", "low=1, high=0",
     "below high"),
    ("bounds-shape", lambda: ActionBounds(-np.ones(3)).clip(np.zeros((2, 2))), ValueError,
     "bounds", r"shape \(3,\)", r"fit actions of shape \(2, 2\)"),
    ("bounds-inf", lambda: ActionBounds(-1, INF).from_unit(np.zeros((1, 1))), ValueError,
     "bounds", "inf", "finite"),
    ("action-nan", lambda: GaussianNoise(1)(np.array([[0.0], [NAN]])), ValueError, "actions",
     r"\[nan\] in row 1", "must not be NaN"),
    ("theta", lambda: OrnsteinUhlenbeckProcess(theta=-1), ValueError, "theta", "-1",
     r"\[0, 2\)"),
    ("dt", lambda: OrnsteinUhlenbeckProcess(dt=0), ValueError, "dt", "got 0", "above 0"),
    ("mu", lambda: OrnsteinUhlenbeckProcess(mu=NAN), ValueError, "mu", "got nan", "finite"),
    ("states-count", lambda: OrnsteinUhlenbeckProcess().step([None], (2, 1)), ValueError,
     "states", "got 1", "2 environments"),
    ("state-shape", lambda: OrnsteinUhlenbeckProcess().step([np.ones(3)], (1, 1)), ValueError,
     "noise state 0", r"\(3,\)", r"action, \(1,\)"),
)  # fmt: skip
def test_noise_refuses(case):
    assert_tells(case)


def gives(output):
    return lambda states: output


def dqn(output, selector=ARGMAX, observations=TWO):
    return lambda: DQNAgent(gives(output), selector)(observations)


def policy(*output, **settings):
    return lambda: PolicyAgent(gives(*output), **settings)(TWO)


def critic(output):
    return lambda: ActorCriticAgent(gives(output))(TWO)


SCORES, ONES = torch.zeros(2, 3), torch.ones(2, 1)


@table(
    ("dqn-no-model", lambda: DQNAgent(None, ARGMAX), TypeError, "model", "got None", "callable"),
    ("dqn-model", lambda: DQNAgent(3, ARGMAX), TypeError, "model", "got 3", "callable"),
    ("dqn-no-selector", lambda: DQNAgent(gives(0)), TypeError, "action_selector", "got None",
     "callable"),
    ("dqn-selector", lambda: DQNAgent(gives(0), 3), TypeError, "action_selector", "got 3",
     "callable"),
    ("dqn-nan", dqn(torch.tensor([[1.0, 2.0], [NAN, 0.0]])), ValueError, "scores", "nan.*row 1",
     "must not be NaN"),
    ("dqn-one-row", dqn(torch.zeros(1, 3)), ValueError, "the model", "returned 1 rows",
     "one row per observation"),
    ("dqn-number", dqn(torch.zeros(())), ValueError, "the model", r"in shape \(\)",
     "one row per observation"),
    ("dqn-none", dqn(None), ValueError, "the model", "returned 0 rows", "one row per observation"),
    ("dqn-1d", dqn(torch.zeros(2)), ValueError, "scores", r"got \(2,\)", SHAPE),
    ("dqn-pair", dqn((SCORES, torch.zeros(2))), TypeError, "the model", r"got \(tensor",
     "a tensor or an array"),
    ("dqn-too-few-actions", dqn(SCORES, lambda scores: [0]), ValueError, "the action selector",
     "returned 1 rows", "one row per observation"),
    ("dqn-one-number", dqn(SCORES, lambda scores: 0), ValueError, "the action selector",
     r"shape \(\)", "one row per observation"),
    ("dqn-no-actions", dqn(SCORES, lambda scores: None), ValueError, "the action selector",
     "returned 0 rows", "one row per observation"),
    ("dqn-shapes", dqn(SCORES, observations=[np.zeros(2), np.zeros(3)]), ValueError,
     "observation 1", r"\(3,\)", r"observation 0 has \(2,\)"),
    ("dqn-keys", dqn(SCORES, observations=[{"a": 1}, {"b": 1}]), ValueError, "observation 1",
     r"\['b'\]", r"observation 0 has \['a'\]"),
    ("dqn-text", dqn(SCORES, observations=["a", "b"]), TypeError, "observations", "<U1",
     "preprocessor of your own"),
    ("policy-model", lambda: PolicyAgent(None), TypeError, "model", "got None", "callable"),
    ("policy-selector", lambda: PolicyAgent(gives(0), 3), TypeError, "action_selector", "got 3",
     "callable"),
    ("policy-negative", policy(torch.tensor([[0.5, 0.5], [-1.0, 2.0]])), ValueError,
     "row 1 of the probabilities", "-1.0", "must not be negative"),
    ("policy-no-softmax", policy(torch.tensor([[3.0, 1.0], [0.0, 1.0]])), ValueError,
     "row 0 of the probabilities", "sum of 4", "sum to 1"),
    ("policy-nan-logits", policy(torch.tensor([[0.0, 1.0], [NAN, 1.0]]), apply_softmax=True),
     ValueError, "row 1 of the probabilities", "nan", r"\[0, 1\]"),
    ("policy-count", policy(torch.ones(3, 1)), ValueError, "the model", "returned 3 rows",
     "one row per observation"),
    ("policy-actions", policy(ONES, action_selector=lambda p: [0, 0, 0]), ValueError,
     "the action selector", "returned 3 rows", "one row per observation"),
    ("critic-values", critic((ONES, torch.zeros(3))), ValueError, "the model", r"got \(3,\)",
     "one value per observation"),
    ("critic-one-output", critic(torch.full((2, 2), 0.5)), TypeError, "the model", r"got tensor",
     r"pair \(policy, values\)"),
    ("critic-three-outputs", critic((ONES, ONES, ONES)), TypeError, "the model", r"got \(tensor",
     r"pair \(policy, values\)"),
    ("critic-none", critic(None), TypeError, "the model", "got None", r"pair \(policy, values\)"),
    ("ddpg-count", lambda: DDPGAgent(gives(torch.ones(3, 1)))(TWO), ValueError, "the model",
     "returned 3 rows", "one row per observation"),
    ("ddpg-nan", lambda: DDPGAgent(gives(ONES * NAN))(TWO), ValueError, "actions", "nan",
     "must not be NaN"),
    ("ddpg-states", lambda: DDPGAgent(gives(ONES))(TWO, [None]), ValueError, "states", "got 1",
     "2 environments"),
    ("ddpg-noise", lambda: DDPGAgent(gives(ONES), noise=0.1), TypeError, "noise", "got 0.1",
     "callable"),
    ("ddpg-bounds", lambda: DDPGAgent(gives(ONES), low=1, high=1), ValueError, "low", "high=1",
     "below high"),
    ("sac-one-output", lambda: SACAgent(gives(torch.ones(2, 2)))(TWO), TypeError, "the model",
     "got tensor", r"pair \(mean, log_std\)"),
    ("sac-shapes", lambda: SACAgent(gives((ONES, SCORES)))(TWO), ValueError, "mean and log_std",
     r"\(2, 1\) and \(2, 3\)", "one shape"),
    ("sac-nan", lambda: SACAgent(gives((ONES * NAN, ONES)))(TWO), ValueError, "actions", "nan",
     "must not be NaN"),
    ("sac-bounds", lambda: SACAgent(gives(0), high=INF), ValueError, "low and high", "inf",
     "finite"),
)  # fmt: skip
def test_agents_refuse(case):
    assert_tells(case)


def synced(alpha):
    """`alpha_sync` of two different networks, which must stay as they were."""
    target = TargetNet(nn.Linear(2, 2))
    with torch.no_grad():
        target.model.weight.fill_(7.0)
    before = target.target_model.weight.clone()
    try:
        target.alpha_sync(alpha)
    finally:
        assert torch.equal(target.target_model.weight, before)
        assert (target.model.weight == 7.0).all()


@table(
    ("above", lambda: synced(1.1), ValueError, "alpha", "got 1.1", r"\[0, 1\]"),
    ("below", lambda: synced(-0.1), ValueError, "alpha", "got -0.1", r"\[0, 1\]"),
    ("nan", lambda: synced(NAN), ValueError, "alpha", "got nan", r"\[0, 1\]"),
    ("text", lambda: synced("0.5"), TypeError, "alpha", "'0.5'", r"\[0, 1\]"),
    ("none", lambda: synced(None), TypeError, "alpha", "None", r"\[0, 1\]"),
    ("no-module", lambda: TargetNet(gives(0)), TypeError, "model", "got function", "nn.Module"),
)
def test_target_networks_refuse(case):
    assert_tells(case)
