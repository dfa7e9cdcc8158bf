"""A real run is the same, to the bit, whether it is watched or not."""

import itertools

import gymnasium
import numpy as np
import pytest
import torch

from ptan.algorithms import DQN, DQNConfig
from ptan.training import run
from ptan.training.tracking import Tracker

from .tracked import MemoryLog, expected_lines

SMALL = {"batch_size": 8, "replay_size": 300, "warm_up": 30, "hidden": 8, "eps_steps": 50}
CONFIGS = {
    "plain": DQNConfig(**SMALL),
    "dueling": DQNConfig(**SMALL, dueling=True),
    "rainbow": DQNConfig.rainbow(**SMALL, n_atoms=11, steps_per_update=3, sync_every=5),
}


def parts(config: DQNConfig):
    env = gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="sync")
    algorithm = DQN(env.single_observation_space, env.single_action_space, config)
    source = algorithm.make_source(env)
    return algorithm, source, algorithm.make_buffer(source)


def flat(tree) -> list:
    """The leaves of a state, comparable."""
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in (key, *flat(tree[key]))]
    if isinstance(tree, list | tuple):
        return [leaf for part in tree for leaf in flat(part)]
    return [np.asarray(tree).tolist()]


@pytest.mark.parametrize("name", CONFIGS)
def test_watching_changes_nothing(name) -> None:
    config = CONFIGS[name]
    algorithm, source, buffer = parts(config)
    alone = list(itertools.islice(run(algorithm, source, buffer), 90))

    watched, its_source, its_buffer = parts(config)
    log = MemoryLog()
    tracker = Tracker(
        watched,
        its_buffer,
        [log],
        every=10,
        diagnostics_every=5,
        images_every=15,
        held_out=20,
        rng=0,
    )
    drawn_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    records = []
    for record in itertools.islice(run(watched, its_source, its_buffer), 90):
        tracker.record(record)
        tracker.state_dict()
        records.append(record)
    assert torch.equal(torch.get_rng_state(), drawn_before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], drawn_before[1])  # noqa: NPY002

    assert [flat(record.metrics) for record in records] == [flat(r.metrics) for r in alone]
    assert [record.episodes for record in records] == [record.episodes for record in alone]
    assert flat(watched.state_dict()) == flat(algorithm.state_dict())
    assert its_buffer.rng.bit_generator.state == buffer.rng.bit_generator.state
    assert watched.net.training
    assert len(log.images) == (4 * 6 if config.distributional else 0)


@pytest.mark.parametrize("name", CONFIGS)
def test_tags_are_those_that_the_switches_have(name) -> None:
    config = CONFIGS[name]
    algorithm, source, buffer = parts(config)
    log, now = MemoryLog(), 0.0
    tracker = Tracker(
        algorithm,
        buffer,
        [log],
        every=10,
        window=5,
        diagnostics_every=10,
        held_out=20,
        rng=0,
        clock=lambda: now,
    )
    records, times = [], []
    for now, record in zip(range(1, 81), run(algorithm, source, buffer), strict=False):
        tracker.record(record)
        records.append(record)
        times.append(now)
    tags = {
        "plain": {"epsilon"},
        "dueling": {"epsilon"},
        "rainbow": {"beta"},
    }
    values = {
        "plain": {"values"} | ({"adv", "val"} if config.double else set()),
        "dueling": {"values", "adv", "val"},
        "rainbow": {"values", "adv", "val", "snr_1", "snr_2", "snr_3", "snr_4"},
    }
    found = {tag for _, line in log.lines for tag in line}
    assert found == {
        *(f"episodes/{tag}" for tag in ("reward", "steps", "mean_reward")),
        *(f"train/{tag}" for tag in {"avg_loss", "fps"} | tags[name]),
        *(f"values/{tag}" for tag in values[name]),
    }
    others = [
        (step, {tag: value for tag, value in line.items() if not tag.startswith("values/")})
        for step, line in log.lines
    ]
    wanted = expected_lines(records, times, window=5, every=10)
    assert others == [(step, pytest.approx(line, rel=1e-6)) for step, line in wanted]
