"""The loop, and an Ignite engine that is driven by the same collector."""

import itertools

import gymnasium
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from ptan.algorithms import DQN, DQNConfig
from ptan.ignite import EndOfEpisodeHandler, EpisodeEvents
from ptan.training import process_function, train

SMALL = {"batch_size": 8, "replay_size": 500, "warm_up": 30, "hidden": 8, "eps_steps": 50}
PLAIN = DQNConfig(**SMALL)
RAINBOW = DQNConfig.rainbow(**SMALL, steps_per_update=3, sync_every=5)


def parts(config: DQNConfig = PLAIN):
    envs = [gymnasium.make("CartPole-v1") for _ in range(3)]
    algorithm = DQN(envs[0].observation_space, envs[0].action_space, config)
    return algorithm, algorithm.collector(envs)


def numbers(metrics: dict) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


@pytest.mark.parametrize("config", [PLAIN, RAINBOW], ids=["plain", "rainbow"])
def test_an_ignite_engine_gives_the_numbers_of_the_loop_to_the_bit(config) -> None:
    algorithm, collector = parts(config)
    records = list(itertools.islice(train(algorithm, collector), 150))

    driven, its_collector = parts(config)
    engine = Engine(process_function(driven, its_collector))
    EndOfEpisodeHandler(its_collector).attach(engine)
    metrics, episodes = [], []
    engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: metrics.append(numbers(engine.state.output))
    )
    engine.add_event_handler(
        EpisodeEvents.EPISODE_COMPLETED,
        lambda engine: episodes.append((engine.state.episode_reward, engine.state.episode_steps)),
    )
    engine.run(its_collector, max_epochs=3, epoch_length=50)

    assert metrics == [numbers(record.metrics) for record in records]
    assert episodes == [episode for record in records for episode in record.episodes]
    assert len(episodes) > 2
    assert (driven.env_steps, driven.updates) == (algorithm.env_steps, algorithm.updates)
    states = [
        dqn.net.state_dict() | dqn.target.target_model.state_dict() for dqn in (algorithm, driven)
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    stored = [[row.state for row in one.buffer] for one in (collector, its_collector)]
    np.testing.assert_array_equal(*stored)


def test_the_loop_is_three_lines_of_the_protocol_and_may_be_left_and_taken_up() -> None:
    algorithm, collector = parts(RAINBOW)
    by_hand = []
    for data in itertools.islice(collector, 12):
        update = algorithm.update(data)
        collector.after(update)
        by_hand.append(numbers(update.metrics | collector.metrics))
    algorithm, collector = parts(RAINBOW)
    found = []
    for _ in range(3):
        found += [numbers(r.metrics) for r in itertools.islice(train(algorithm, collector), 4)]
    assert found == by_hand
    assert found[0].keys() == {"loss", "beta"}
    assert next(train(*parts(PLAIN))).metrics.keys() == {"loss", "epsilon"}


def test_other_seeds_give_other_runs() -> None:
    losses = [next(train(*parts(DQNConfig(**SMALL, seed=i)))).metrics["loss"] for i in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_records_count_steps_updates_and_episodes() -> None:
    """Environments are stepped together: all three, and then the updates that they owe."""
    algorithm, collector = parts(DQNConfig(**SMALL, steps_per_update=2))
    records = list(itertools.islice(train(algorithm, collector), 200))
    assert [record.updates for record in records] == list(range(1, 201))
    assert [r.env_steps for r in records] == [30 + -(-2 * n // 3) * 3 for n in range(1, 201)]
    episodes = [episode for record in records for episode in record.episodes]
    assert len(episodes) == sum(row.terminated or row.truncated for row in collector.buffer)
    assert all(total == steps for total, steps in episodes)


def test_control_comes_back_in_the_warm_up_and_nothing_else_changes() -> None:
    whole = [numbers(r.metrics) for r in itertools.islice(train(*parts()), 12)]
    algorithm, collector = parts()
    records = list(itertools.islice(train(algorithm, collector, look_every=9), 15))
    looks, updates = records[:3], records[3:]
    assert [(r.env_steps, r.updates, r.metrics, r.updated) for r in looks] == [
        (9, 0, {}, False),
        (18, 0, {}, False),
        (27, 0, {}, False),
    ]
    assert all(record.updated for record in updates)
    assert [numbers(record.metrics) for record in updates] == whole
    assert collector.phase == "training"
