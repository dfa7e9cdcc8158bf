"""The plain loop, and an Ignite engine that makes the same numbers."""

import itertools

import gymnasium
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from ptan.algorithms import DQN, DQNConfig
from ptan.ignite import EndOfEpisodeHandler, EpisodeEvents
from ptan.training import process_function, run

SMALL = {"batch_size": 8, "replay_size": 500, "warm_up": 30, "hidden": 8, "eps_steps": 50}
PLAIN = DQNConfig(**SMALL)
RAINBOW = DQNConfig.rainbow(**SMALL, steps_per_update=3, sync_every=5)


def parts(config: DQNConfig, n_envs: int = 3, *, vector: bool = True):
    if vector:
        env = gymnasium.make_vec("CartPole-v1", num_envs=n_envs, vectorization_mode="sync")
        spaces = env.single_observation_space, env.single_action_space
    else:
        env = [gymnasium.make("CartPole-v1") for _ in range(n_envs)]
        spaces = env[0].observation_space, env[0].action_space
    algorithm = DQN(*spaces, config)
    source = algorithm.make_source(env)
    return algorithm, source, algorithm.make_buffer(source)


def numbers(metrics: dict) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


@pytest.mark.parametrize("config", [PLAIN, RAINBOW], ids=["plain", "rainbow"])
def test_an_ignite_engine_gives_the_numbers_of_the_plain_loop_to_the_bit(config) -> None:
    algorithm, source, buffer = parts(config)
    records = list(itertools.islice(run(algorithm, source, buffer), 60))

    driven, its_source, its_buffer = parts(config)
    engine = Engine(process_function(driven, its_buffer))
    EndOfEpisodeHandler(its_source).attach(engine)
    metrics, episodes = [], []
    engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: metrics.append(numbers(engine.state.output))
    )
    engine.add_event_handler(
        EpisodeEvents.EPISODE_COMPLETED,
        lambda engine: episodes.append((engine.state.episode_reward, engine.state.episode_steps)),
    )
    engine.run(itertools.repeat(None), max_epochs=1, epoch_length=60)

    assert metrics == [numbers(record.metrics) for record in records]
    assert episodes == [episode for record in records for episode in record.episodes]
    assert len(episodes) > 2
    states = [
        dqn.net.state_dict() | dqn.target.target_model.state_dict() for dqn in (algorithm, driven)
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    np.testing.assert_array_equal([row.state for row in buffer], [row.state for row in its_buffer])


def test_the_engine_needs_no_data() -> None:
    algorithm, _, buffer = parts(PLAIN)
    Engine(process_function(algorithm, buffer)).run(epoch_length=5, max_epochs=2)
    assert (algorithm.updates, algorithm.env_steps) == (10, 40)


def test_equal_seeds_give_equal_runs_and_other_seeds_others() -> None:
    def losses(seed: int) -> list[float]:
        config = DQNConfig(**SMALL, seed=seed)
        return [
            float(record.metrics["loss"]) for record in itertools.islice(run(*parts(config)), 20)
        ]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


@pytest.mark.parametrize("vector", [True, False], ids=["vector", "list"])
@pytest.mark.parametrize("steps_per_update", [1, 2, 7])
def test_an_update_follows_every_so_many_steps(steps_per_update: int, vector: bool) -> None:
    config = DQNConfig(**SMALL, steps_per_update=steps_per_update)
    algorithm, source, buffer = parts(config, vector=vector)
    for count, record in enumerate(itertools.islice(run(algorithm, source, buffer), 10), start=1):
        assert record.updates == count
        assert record.env_steps == 30 + count * steps_per_update == len(buffer)


def test_actions_of_the_warm_up_are_random_and_no_update_comes_before_its_end() -> None:
    config = DQNConfig(**{**SMALL, "warm_up": 400}, eps_final=0.0)
    algorithm, source, buffer = parts(config)
    epsilons = []
    model = algorithm.agent.model

    def spied(observations):
        epsilons.append((algorithm.epsilon, algorithm.updates))
        return model(observations)

    algorithm.agent.model = spied
    next(run(algorithm, source, buffer))
    assert set(epsilons) == {(1.0, 0)}
    share = np.mean([row.action for row in buffer])
    assert 0.4 < share < 0.6


def test_without_warm_up_the_first_step_is_followed_by_an_update() -> None:
    config = DQNConfig(**{**SMALL, "warm_up": 0})
    record = next(run(*parts(config)))
    assert (record.env_steps, record.updates) == (1, 1)


def test_episodes_are_reported_once_with_their_lengths() -> None:
    algorithm, source, buffer = parts(PLAIN)
    records = list(itertools.islice(run(algorithm, source, buffer), 200))
    episodes = [episode for record in records for episode in record.episodes]
    ends = sum(row.terminated or row.truncated for row in buffer)
    assert 0 <= ends - len(episodes) <= 3  # an end shows when the next row is asked for
    assert all(total == steps for total, steps in episodes)


def test_a_run_can_be_left_and_taken_up_again() -> None:
    whole = [numbers(r.metrics) for r in itertools.islice(run(*parts(PLAIN)), 12)]
    algorithm, source, buffer = parts(PLAIN)
    pieces = []
    for _ in range(3):
        pieces += [numbers(r.metrics) for r in itertools.islice(run(algorithm, source, buffer), 4)]
    assert pieces == whole
