"""The algorithm as an object: seeds, evaluation copies, schedules, counters, refusals."""

import dataclasses
import itertools

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from ptan.algorithms import DQN, DQNConfig, OptimizerStep
from ptan.experience import Batch, ExperienceFirstLast, PrioritizedReplayBuffer
from ptan.losses import ShapeError
from ptan.nn import NoisyFactorizedLinear

OBSERVATIONS = spaces.Box(-1.0, 1.0, (3,), np.float32)
ACTIONS = spaces.Discrete(4)
SIZES = {"batch_size": 8, "replay_size": 100, "warm_up": 10, "hidden": 8, "n_atoms": 5}
SMALL, RAINBOW = DQNConfig(**SIZES), DQNConfig.rainbow(**SIZES)


def make(config: DQNConfig = SMALL, **changes) -> DQN:
    return DQN(OBSERVATIONS, ACTIONS, dataclasses.replace(config, **changes))


def batch_of(seed: int, n_rows: int = 8) -> Batch:
    rng = np.random.default_rng(seed)
    states, ends = rng.normal(size=(2 * n_rows, 3)).astype(np.float32), rng.random(n_rows) < 0.3
    rows = [
        ExperienceFirstLast(states[i], int(rng.integers(4)), float(rng.normal()), last)
        for i, last in enumerate(None if end else states[n_rows + i] for i, end in enumerate(ends))
    ]
    return Batch.from_rows(rows, gamma=0.99)


def observations(seed: int, n_rows: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_rows, 3)).astype(np.float32)


def weights(algorithm: DQN) -> list[np.ndarray]:
    target = algorithm.target.target_model
    return [p.detach().numpy().copy() for net in (algorithm.net, target) for p in net.parameters()]


def assert_equal(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


# Seeds.


def test_equal_seeds_make_equal_algorithms_and_other_seeds_others() -> None:
    torch.manual_seed(1)
    first = make(RAINBOW)
    torch.manual_seed(2)
    assert_equal(weights(first), weights(make(RAINBOW)))
    other = make(RAINBOW, seed=124)
    assert not np.array_equal(weights(first)[0], weights(other)[0])


def test_global_generators_are_neither_used_nor_moved() -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - to see that it is left alone
    wanted = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    for config in (SMALL, RAINBOW):
        algorithm = make(config)
        algorithm.agent(observations(0))
        algorithm.update(batch_of(0))
        algorithm.greedy_agent()(observations(0))
    assert torch.equal(torch.rand(3), wanted[0])
    np.testing.assert_array_equal(np.random.rand(3), wanted[1])  # noqa: NPY002


def test_collectors_of_one_algorithm_draw_from_generators_of_their_own() -> None:
    def drawn(algorithm: DQN) -> list[list[int]]:
        found = []
        for _ in range(2):
            collector = algorithm.collector(gymnasium.make("CartPole-v1"))
            collector.buffer.extend(batch_of(0, 50))
            found.append(collector.buffer.sample(20).indices.tolist())
        return found

    first, second = drawn(make())
    assert first != second
    assert [first, second] == drawn(make())


# Acting.


def test_the_greedy_agent_is_a_copy_that_training_does_not_change() -> None:
    algorithm = make(RAINBOW, learning_rate=0.1)
    agent = algorithm.greedy_agent()
    states = torch.from_numpy(observations(0))
    before = agent.model(states).detach()
    noise = algorithm.net.noisy_layers[0].epsilon_weight.clone()
    agent(observations(0))
    assert torch.equal(algorithm.net.noisy_layers[0].epsilon_weight, noise)
    assert all(module.training for module in algorithm.net.modules())
    for seed in range(3):
        algorithm.update(batch_of(seed))
    assert torch.equal(agent.model(states), before)
    assert not torch.allclose(algorithm.greedy_agent().model(states), before)


def test_noise_is_drawn_once_per_acting_step_and_once_per_network_and_update() -> None:
    algorithm, draws = make(RAINBOW), {"online": 0, "target": 0}
    nets = (algorithm.net, algorithm.target.target_model)
    online, target = (net.noisy_layers[0] for net in nets)
    for name, layer in (("online", online), ("target", target)):

        def counted(generator=None, *, name=name, draw=layer.resample_noise) -> None:
            draws[name] += 1
            draw(generator)

        layer.resample_noise = counted
    algorithm.agent(observations(0))
    assert draws == {"online": 1, "target": 0}
    algorithm.update(batch_of(0))
    assert draws == {"online": 2, "target": 1}
    assert not torch.equal(online.epsilon_weight, target.epsilon_weight)
    algorithm.loss(batch_of(0))
    algorithm.greedy_agent()(observations(0))
    assert draws == {"online": 2, "target": 1}


def test_noise_can_be_factorized() -> None:
    algorithm = make(RAINBOW, factorized_noise=True)
    first, second = (algorithm.agent.model(torch.from_numpy(observations(0))) for _ in range(2))
    assert not torch.equal(first, second)
    layer = algorithm.net.noisy_layers[0]
    assert isinstance(layer, NoisyFactorizedLinear)
    assert np.linalg.matrix_rank(layer.epsilon_weight.numpy()) == 1
    sigma = layer.sigma_weight.detach().clone()
    algorithm.update(batch_of(0))
    assert not torch.equal(sigma, layer.sigma_weight)


@pytest.mark.parametrize(
    ("settings", "steps", "wanted"),
    [
        ({"eps_start": 0.9, "eps_final": 0.1, "eps_steps": 20}, 5, [0.9, 0.9, 0.7, 0.5, 0.3, 0.1]),
        ({"eps_decay": 0.5, "eps_final": 0.1, "warm_up": 2}, 1, [1, 1, 0.5, 0.25, 0.125, 0.1, 0.1]),
        ({"eps_start": 0.05, "eps_decay": 0.5, "eps_final": 0.1}, 20, [0.05, 0.05]),
    ],
    ids=["line", "factor", "start below the end"],
)
def test_epsilon_stays_through_the_warm_up_and_then_falls(settings, steps, wanted) -> None:
    algorithm, found = make(**settings), []
    for _ in wanted:
        algorithm.on_steps(steps)
        found.append(algorithm.epsilon)
    assert found == pytest.approx(wanted)
    assert algorithm.env_steps == steps * len(wanted)


def test_the_step_size_falls_on_a_line_from_the_end_of_the_warm_up_or_stays() -> None:
    settings = {"learning_rate": 8e-4, "learning_rate_final": 2e-4, "learning_rate_steps": 300}
    falling, constant, found = make(warm_up=100, **settings), make(learning_rate=3e-4), {}
    for steps in (0, 100, 100, 200, 1, 999):
        for algorithm in (falling, constant):
            algorithm.on_steps(steps)
        groups = (one.optimizers["q"].optimizer.param_groups for one in (falling, constant))
        found[falling.env_steps] = [group["lr"] for (group,) in groups]
    lines = {0: 8e-4, 100: 8e-4, 200: 6e-4, 400: 2e-4, 401: 2e-4, 1400: 2e-4}
    assert found == {steps: pytest.approx([rate, 3e-4]) for steps, rate in lines.items()}


# Learning.


def test_the_target_becomes_equal_every_sync_every_updates() -> None:
    algorithm = make(sync_every=3)
    equal = []
    for seed in range(6):
        algorithm.update(batch_of(seed))
        values = weights(algorithm)
        half = len(values) // 2
        equal.append(all(map(np.array_equal, values[:half], values[half:])))
    assert equal == [False, False, True, False, False, True]


def test_the_gradient_is_clipped_to_its_norm() -> None:
    algorithm = make(max_grad_norm=1e-3)
    algorithm.update(batch_of(0))
    norms = [p.grad.norm() ** 2 for p in algorithm.net.parameters()]
    assert float(sum(norms)) ** 0.5 == pytest.approx(1e-3, rel=1e-3)


def test_batches_may_be_tensors_and_their_weights_count() -> None:
    algorithm, batch = make(), batch_of(0)
    tensors = batch.to("cpu")
    assert torch.equal(algorithm.loss(batch).value, algorithm.loss(tensors).value)
    tensors.weights = torch.zeros(8)
    loss = algorithm.update(tensors).metrics["loss"]
    assert (float(loss), loss.requires_grad) == (0.0, False)


def test_a_body_of_the_users_is_trained() -> None:
    body = nn.Sequential(nn.Linear(3, 5), nn.Tanh())
    algorithm = DQN(OBSERVATIONS, ACTIONS, SMALL, body=body)
    before = body[0].weight.detach().clone()
    algorithm.update(batch_of(0))
    assert not torch.equal(before, body[0].weight)


# Refusals.


def test_spaces_and_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TypeError, match="Discrete"):
        DQN(OBSERVATIONS, OBSERVATIONS, SMALL)
    with pytest.raises(TypeError, match="single_action_space"):
        DQN(OBSERVATIONS, spaces.MultiDiscrete([4, 4]), SMALL)
    with pytest.raises(ValueError, match="body"):
        DQN(spaces.Discrete(5), ACTIONS, SMALL)
    with pytest.raises(TypeError, match="DQNConfig"):
        DQN(OBSERVATIONS, ACTIONS, {"gamma": 0.9})
    with pytest.raises(ValueError, match="n_steps"):
        make().on_steps(-1)


def test_a_wrong_batch_is_refused_and_changes_nothing() -> None:
    algorithm = make()
    before = weights(algorithm)
    rows = [ExperienceFirstLast(np.zeros(3, np.float32), 0, np.zeros(2), None)] * 3
    with pytest.raises(ShapeError, match="rewards"):
        algorithm.update(Batch.from_rows(rows, gamma=0.9))
    assert algorithm.updates == 0
    assert_equal(before, weights(algorithm))


# The collector.


class Numbered(gymnasium.Env):
    """Remembers its actions, which are numbered from 3."""

    observation_space = OBSERVATIONS
    action_space = spaces.Discrete(4, start=3)

    def __init__(self) -> None:
        self.actions: list[int] = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.actions.append(int(action))
        return self.np_random.normal(size=3).astype(np.float32), 1.0, False, False, {}


@pytest.mark.parametrize("config", [SMALL, RAINBOW], ids=["plain", "rainbow"])
def test_actions_are_counted_from_zero_for_the_network_alone(config: DQNConfig) -> None:
    env = Numbered()
    algorithm = DQN(OBSERVATIONS, env.action_space, config)
    collector = algorithm.collector(env)
    for batch in itertools.islice(collector, 20):
        collector.after(algorithm.update(batch))
    assert set(env.actions) <= {3, 4, 5, 6}
    stored = [row.action for row in collector.buffer]
    assert env.actions[: len(stored)] == [action + 3 for action in stored]
    greedy, _ = algorithm.greedy_agent()(observations(0))
    best = algorithm.net.eval().qvals(torch.from_numpy(observations(0))).argmax(1)
    np.testing.assert_array_equal(greedy, best.numpy() + 3)


def test_the_collector_has_the_settings_of_the_algorithm() -> None:
    algorithm = make(prioritized=True, steps_per_update=4, n_steps=3, gamma=0.9)
    collector = algorithm.collector([Numbered(), Numbered()], env_seed=8)
    batch = next(collector)
    assert isinstance(collector.buffer, PrioritizedReplayBuffer)
    assert (len(batch), collector.env_steps, algorithm.env_steps) == (8, 14, 14)
    assert collector.buffer.capacity == 100
    np.testing.assert_allclose(batch.discounts, 0.9**3, rtol=1e-6)
    collector.after(algorithm.update(batch))
    assert collector.metrics == {"beta": pytest.approx(0.4 + 0.6 * 4 / 100_000)}


def test_noisy_networks_explore_at_random_in_the_warm_up_too() -> None:
    algorithm = make(RAINBOW, warm_up=100)
    asked = []
    model = algorithm.agent.model
    algorithm.agent.model = lambda states: asked.append(1) or model(states)
    collector = algorithm.collector(Numbered())
    while collector.phase == "warm-up":
        collector.advance(10)
    assert asked == []
    next(collector)
    assert asked


def test_a_collector_made_after_the_warm_up_fills_its_buffer_with_the_present_agent() -> None:
    algorithm = make(eps_start=0.0)
    algorithm.on_steps(1_000)
    collector = algorithm.collector(Numbered())
    next(collector)
    assert algorithm.env_steps == 1_011
    greedy, _ = algorithm.greedy_agent()(np.stack([row.state for row in collector.buffer]))
    np.testing.assert_array_equal([row.action for row in collector.buffer], greedy)


# The optimizer's step.


def test_a_driver_may_replace_the_steps_of_the_optimizer() -> None:
    calls = []

    class Halved(OptimizerStep):
        def backward(self, loss: torch.Tensor) -> None:
            calls.append("backward")
            super().backward(loss)

        def reduce(self) -> None:
            calls.append("reduce")
            for parameter in self.parameters():
                parameter.grad *= 0.5

    plain, driven = (make(max_grad_norm=1e6) for _ in range(2))
    plain.update(batch_of(0))
    old = driven.optimizers["q"]
    driven.optimizers["q"] = Halved(old.optimizer, old.max_grad_norm)
    driven.update(batch_of(0))
    assert calls == ["backward", "reduce"]
    for one, other in zip(plain.net.parameters(), driven.net.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad / 2)
