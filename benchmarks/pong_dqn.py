"""The sides of the question of `throughput`: DQN on Pong by us, by others, and by hand.

Every factory takes the variant, the number of PyTorch threads and the environment steps of a slice.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from typing import Any

from benchmarks.arena import Slice

GAME = "PongNoFrameskip-v4"
GAMES, NOOPS, STEPS_PER_UPDATE, BATCH = 8, 30, 4, 32
CAPACITY, WARM_UP, FIRST_UPDATES = 10_000, 2_000, 50
EPSILON, LEARNING_RATE, SYNC_EVERY = 0.02, 1e-4, 1_000  # the last in updates
PARAMETERS = 1_687_206

Turn = Callable[[], object]


def _clocked(turn: Turn, turns: int, threads: int) -> Slice:
    """Seconds of wall time that some turns take."""

    def measure() -> float:
        import torch

        torch.set_num_threads(threads)
        start = time.perf_counter()
        for _ in range(turns):
            turn()
        return time.perf_counter() - start

    return measure


def _speed(turn: Turn, turns: int, threads: int, steps: int) -> Slice:
    """Environment steps per second, if all turns together make so many steps."""
    seconds = _clocked(turn, turns, threads)
    return lambda: steps / seconds()


def _check_network(net: Any) -> None:
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == PARAMETERS, f"another network: {count:,} parameters"


# Ours.

MODES: dict[str, dict[str, Any]] = {
    "fp32": {},
    "fp32, channels last": {"channels_last": True},
    "fast": {"channels_last": True, "mixed_precision": True},
}


def _our_games(threads: int) -> Any:
    from ptan.common.memory import keep_freed_memory
    from ptan.common.wrappers import make_atari_vec

    keep_freed_memory()
    return make_atari_vec(GAME, GAMES, noop_max=NOOPS, num_threads=threads)


def _our_config(mode: str) -> Any:
    from ptan.algorithms import DQNConfig

    return DQNConfig(
        batch_size=BATCH,
        steps_per_update=STEPS_PER_UPDATE,
        replay_size=CAPACITY,
        warm_up=WARM_UP,
        sync_every=SYNC_EVERY,
        learning_rate=LEARNING_RATE,
        eps_start=EPSILON,
        eps_final=EPSILON,
        **MODES[mode],
    )


def _warm(records: Iterator[Any], threads: int) -> Iterator[Any]:
    _clocked(lambda: next(records), FIRST_UPDATES, threads)()
    return records


@cache
def _our_run(mode: str, threads: int) -> tuple[Any, Any, Iterator[Any]]:
    """The algorithm, its buffer, and the records of the run."""
    from ptan.algorithms import DQN
    from ptan.training import train

    env = _our_games(threads)
    algorithm = DQN(env.single_observation_space, env.single_action_space, _our_config(mode))
    _check_network(algorithm.net)
    collector = algorithm.collector(env)
    return algorithm, collector.buffer, _warm(train(algorithm, collector), threads)


def ours(mode: str, threads: int, steps: int) -> Slice:
    records = _our_run(mode, threads)[2]
    return _speed(lambda: next(records), steps // STEPS_PER_UPDATE, threads, steps)


def our_games(threads: int, steps: int) -> Slice:
    """Steps per second of the environments alone, under random actions."""
    import numpy as np

    env, rng = _our_games(threads), np.random.default_rng(0)
    env.reset(seed=0)
    actions = cycle(rng.integers(env.single_action_space.n, size=(1_000, GAMES)))
    return _speed(lambda: env.step(next(actions)), steps // GAMES, threads, steps)


def our_updates(mode: str, threads: int, steps: int) -> Slice:
    """Seconds per update from batches that are there already: a quarter of those of a run."""
    algorithm, buffer, _ = _our_run(mode, threads)
    batches = cycle([buffer.sample(BATCH) for _ in range(16)])
    updates = steps // STEPS_PER_UPDATE // 4
    seconds = _clocked(lambda: algorithm.update(next(batches)), updates, threads)
    return lambda: seconds() / updates


@cache
def _our_profile(mode: str, threads: int, steps: int) -> Any:
    from ptan.runs import RunConfig, RunSettings
    from ptan.runs.profile import profile

    settings = RunSettings(
        env_id=GAME, num_envs=GAMES, noop_max=NOOPS, threads=threads, env_threads=threads
    )
    config = RunConfig(algorithm="dqn", settings=settings, config=_our_config(mode))
    return profile(config, steps)


def our_parts(mode: str, threads: int, steps: int, part: str) -> Slice:
    """Share of one part in the time of a run of its own, measured once."""
    found = _our_profile(mode, threads, steps)
    return lambda: float(found[part] / found["total"])


# The others.


@cache
def _single_file() -> Iterator[Any]:
    from benchmarks.reference_dqn import Network, Settings, train

    _check_network(Network(6))
    settings = Settings(
        game=GAME,
        batch_size=BATCH,
        steps_per_update=STEPS_PER_UPDATE,
        replay_size=CAPACITY,
        warm_up=WARM_UP,
        sync_every=SYNC_EVERY * STEPS_PER_UPDATE,
        learning_rate=LEARNING_RATE,
        eps_start=EPSILON,
        eps_final=EPSILON,
    )
    loop = train(settings)
    _clocked(lambda: next(loop), WARM_UP + FIRST_UPDATES * STEPS_PER_UPDATE, 1)()
    return loop


def single_file(threads: int, steps: int) -> Slice:
    loop = _single_file()
    return _speed(lambda: next(loop), steps, threads, steps)


@cache
def _stable_baselines3(games: str) -> Any:
    from stable_baselines3 import DQN
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack

    n_envs = 1 if games == "1 game" else GAMES
    kind = SubprocVecEnv if "processes" in games else DummyVecEnv
    # The prefix makes the processes of the games import ALE, which registers it.
    env = make_atari_env(f"ale_py:{GAME}", n_envs=n_envs, seed=0, vec_env_cls=kind)
    model = DQN(
        "CnnPolicy",
        VecFrameStack(env, n_stack=4),
        batch_size=BATCH,
        train_freq=max(1, STEPS_PER_UPDATE // n_envs),  # in steps of all games at once
        gradient_steps=max(1, n_envs // STEPS_PER_UPDATE),
        buffer_size=CAPACITY,
        learning_starts=WARM_UP,
        target_update_interval=SYNC_EVERY * STEPS_PER_UPDATE,
        learning_rate=LEARNING_RATE,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        device="cpu",
    )
    _check_network(model.q_net)
    model.learn(WARM_UP + FIRST_UPDATES * STEPS_PER_UPDATE, log_interval=None)
    return model


def stable_baselines3(games: str, threads: int, steps: int) -> Slice:
    model = _stable_baselines3(games)

    def learn() -> None:
        steps_before, updates_before = model.num_timesteps, model._n_updates
        model.learn(steps, log_interval=None, reset_num_timesteps=False)
        assert model.num_timesteps - steps_before == steps
        assert model._n_updates - updates_before == steps // STEPS_PER_UPDATE

    return _speed(learn, 1, threads, steps)
