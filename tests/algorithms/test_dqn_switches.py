"""All 64 combinations of the six extensions train, and each shows that it is on or off."""

import copy
import itertools

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from ptan.actions import ArgmaxActionSelector
from ptan.algorithms import DQN, DQNConfig
from ptan.experience import Batch, PrioritizedReplayBuffer
from ptan.losses import categorical_loss, dqn_loss
from ptan.training import train

SWITCHES = ("n_steps", "double", "noisy", "prioritized", "dueling", "distributional")
COMBINATIONS = [
    dict(zip(SWITCHES, (3 if on[0] else 1, *on[1:]), strict=True))
    for on in itertools.product((False, True), repeat=6)
]
SMALL = {
    "batch_size": 8,
    "replay_size": 200,
    "warm_up": 40,
    "steps_per_update": 4,
    "sync_every": 4,
    "eps_steps": 20,
    "beta_steps": 100,
    "hidden": 8,
    "n_atoms": 11,
    "v_max": 30.0,
    "learning_rate": 1e-2,
}
OBSERVATIONS = np.array([[0.1, 0.2, -0.1, 0.3], [1.0, -2.0, 0.1, 2.0]], np.float32)


def name(combination: dict) -> str:
    return "+".join(switch for switch, on in combination.items() if on is True or on > 1) or "plain"


class Trained:
    """An algorithm after six updates on two environments, and what was there before."""

    def __init__(self, combination: dict) -> None:
        self.config = DQNConfig(**SMALL, **combination)
        env = gymnasium.make_vec(
            "CartPole-v1",
            num_envs=2,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED},  # no reset steps
        )
        self.algorithm = DQN(env.single_observation_space, env.single_action_space, self.config)
        self.before = copy.deepcopy(list(self.algorithm.net.parameters()))
        collector = self.algorithm.collector(env)
        self.buffer = collector.buffer
        self.records = list(itertools.islice(train(self.algorithm, collector), 6))

    def acting_values(self) -> np.ndarray:
        return self.algorithm.agent.model(torch.from_numpy(OBSERVATIONS)).detach().numpy()

    def greedy_values(self) -> np.ndarray:
        agent = self.algorithm.greedy_agent()
        return agent.model(torch.from_numpy(OBSERVATIONS)).detach().numpy()


@pytest.fixture(params=COMBINATIONS, ids=name, scope="module")
def trained(request) -> Trained:
    return Trained(request.param)


def test_updates_change_every_parameter_and_the_target_follows_in_jumps(trained: Trained) -> None:
    net, target = trained.algorithm.net, trained.algorithm.target.target_model
    changed = [not torch.equal(p, q) for p, q in zip(trained.before, net.parameters(), strict=True)]
    assert all(changed)
    assert [record.updates for record in trained.records] == [1, 2, 3, 4, 5, 6]
    assert [record.env_steps for record in trained.records] == [44, 48, 52, 56, 60, 64]
    assert 60 <= len(trained.buffer) <= 64  # windows of three steps may be open
    # The last copy was at update 4 of 6.
    assert not all(map(torch.equal, net.parameters(), target.parameters()))
    assert all(np.isfinite(float(record.metrics["loss"])) for record in trained.records)


def test_the_loss_is_that_of_the_switches(trained: Trained) -> None:
    algorithm, config = trained.algorithm, trained.config
    batch = Batch.from_rows(list(trained.buffer)[:20])
    function = categorical_loss if config.distributional else dqn_loss
    target = algorithm.target.target_model
    wanted = function(batch.to("cpu"), algorithm.net, target, double=config.double)
    found = algorithm.loss(batch)
    torch.testing.assert_close(found.value, wanted.value)
    torch.testing.assert_close(found.priorities, wanted.priorities)


def test_targets_span_n_steps(trained: Trained) -> None:
    steps = [row.steps for row in trained.buffer]
    assert max(steps) == trained.config.n_steps
    for row in trained.buffer:
        assert row.discount == pytest.approx((1 - row.terminated) * 0.99**row.steps, rel=1e-6)


def test_priorities_move_exactly_where_replay_is_prioritized(trained: Trained) -> None:
    if not trained.config.prioritized:
        assert not isinstance(trained.buffer, PrioritizedReplayBuffer)
        assert "beta" not in trained.records[-1].metrics
        return
    assert isinstance(trained.buffer, PrioritizedReplayBuffer)
    _, _, weights = trained.buffer.sample(64)
    assert len(np.unique(weights)) > 3  # all 1 before the first update
    betas = [record.metrics["beta"] for record in trained.records]
    assert betas == pytest.approx([0.4 + 0.6 * n / 100 for n in (4, 8, 12, 16, 20, 24)])


def test_noise_differs_between_steps_and_is_absent_in_evaluation(trained: Trained) -> None:
    first, second = trained.acting_values(), trained.acting_values()
    assert np.array_equal(first, second) != trained.config.noisy
    greedy = trained.greedy_values()
    np.testing.assert_array_equal(greedy, trained.greedy_values())
    assert np.allclose(greedy, first, rtol=1e-5, atol=1e-6) != trained.config.noisy
    assert trained.algorithm.net.training


def test_epsilon_is_unused_with_noise_and_falls_without(trained: Trained) -> None:
    epsilons = [record.metrics.get("epsilon") for record in trained.records]
    if trained.config.noisy:
        assert epsilons == [None] * 6
        assert trained.algorithm.epsilon is None
        assert isinstance(trained.algorithm.agent.action_selector, ArgmaxActionSelector)
    else:
        line = [1 - 0.98 * min(1, n / 20) for n in (4, 8, 12, 16, 20, 24)]
        assert epsilons == pytest.approx(line)


def test_networks_have_the_heads_and_outputs_of_the_switches(trained: Trained) -> None:
    net, config = trained.algorithm.net, trained.config
    with torch.no_grad():
        output = net(torch.from_numpy(OBSERVATIONS))
    assert output.shape == ((2, 2, 11) if config.distributional else (2, 2))
    assert (net.dueling, len(net.noisy_layers) > 0) == (config.dueling, config.noisy)
    returns = trained.algorithm.return_distributions(OBSERVATIONS)
    assert (returns is not None) == config.distributional


def test_diagnostics_name_what_the_switches_have(trained: Trained) -> None:
    config = trained.config
    found = trained.algorithm.diagnostics(OBSERVATIONS)
    names = {"values"}
    names |= {"adv", "val"} if config.dueling or config.double else set()
    n_noisy = 4 if config.dueling else 2
    names |= {f"snr_{i + 1}" for i in range(n_noisy)} if config.noisy else set()
    assert set(found) == names
    assert found["values"] == pytest.approx(trained.greedy_values().max(1).mean(), rel=1e-5)
