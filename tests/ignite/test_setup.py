"""`setup_ignite`, a textbook script and Ignite's own handlers, read back from event files."""

import contextlib
import gc
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import gymnasium
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar, tensorboard_logger
from ignite.metrics import RunningAverage
from ignite_scripts import ScriptedSource, scalars

import ptan
from ptan.algorithms import DQN, DQNConfig
from ptan.ignite import EpisodeEvents, PeriodEvents, setup_ignite
from ptan.training import process_function


def scripted(*rewards, period=1):
    """Episodes of seven steps with these rewards, one every `period` iterations."""
    return ScriptedSource(
        *[part for reward in rewards for part in ([[]] * (period - 1) + [[(reward, 7)]])]
    )


def steps_of(scalars):
    return {tag: [step for step, _ in points] for tag, points in scalars.items()}


def constant_loss(engine, batch):
    return {"loss": 2.5}


@pytest.fixture
def run(tmp_path):
    """Run a process function under `setup_ignite`; returns the engine and what was logged."""

    def run(process, source, iterations, **settings):
        engine = Engine(process)
        setup_ignite(engine, source, "test", log_dir=tmp_path, **settings)
        engine.run(range(iterations))
        return engine, scalars(next(tmp_path.iterdir()))

    return run


def test_logs_episodes_and_training_at_their_steps(tmp_path):
    engine = Engine(constant_loss)
    source = scripted(1.0, 3.0, 5.0, period=90)

    @engine.on(Events.ITERATION_COMPLETED)
    def values(engine):
        engine.state.metrics["values"] = engine.state.iteration / 100

    logger = setup_ignite(engine, source, "test", extra_metrics=["values"], log_dir=tmp_path)
    engine.run(range(300))

    [folder] = tmp_path.iterdir()
    assert Path(logger.writer.log_dir) == folder
    logged = scalars(folder)
    assert steps_of(logged) == {
        "episodes/reward": [1, 2, 3],
        "episodes/steps": [1, 2, 3],
        "episodes/avg_reward": [1, 2, 3],
        "train/avg_loss": [100, 200, 300],
        "train/avg_fps": [100, 200, 300],
        "train/values": [100, 200, 300],
    }
    assert logged["episodes/reward"] == [(1, 1.0), (2, 3.0), (3, 5.0)]
    assert logged["episodes/steps"] == [(1, 7.0), (2, 7.0), (3, 7.0)]
    assert logged["episodes/avg_reward"] == [(1, 1.0), (2, 1.04), (3, 1.04 * 0.98 + 0.1)]
    assert logged["train/avg_loss"] == [(100, 2.5), (200, 2.5), (300, 2.5)]
    assert logged["train/values"] == [(100, 1.0), (200, 2.0), (300, 3.0)]


def test_a_collector_is_trained_and_watched_in_one_engine(tmp_path, capsys):
    env = gymnasium.make("CartPole-v1")
    settings = DQNConfig(warm_up=50, batch_size=8, hidden=16, seed=1)
    algorithm = DQN(env.observation_space, env.action_space, settings)
    collector = algorithm.collector(env, env_seed=3)
    engine = Engine(process_function(algorithm, collector))
    setup_ignite(engine, collector, "test", extra_metrics=["epsilon"], log_dir=tmp_path)
    engine.run(collector, max_epochs=1, epoch_length=200)
    env.close()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == engine.state.episode > 5
    [folder] = tmp_path.iterdir()
    logged = scalars(folder)
    assert steps_of(logged)["train/avg_loss"] == steps_of(logged)["train/epsilon"] == [100, 200]
    played = sum(int(re.search(r"steps=(\d+)", line)[1]) for line in lines)
    assert 0 <= algorithm.env_steps - played < 500


def test_prints_one_line_per_episode(run, capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("ptan.ignite.speed.time.perf_counter", lambda: now[0])

    def half_a_minute(engine, batch):
        now[0] += 30

    run(half_a_minute, scripted(-21.0, 0.25), 3)
    assert capsys.readouterr().out.splitlines() == [
        "Episode 1: reward=-21, steps=7, speed=0.0 f/s, elapsed=0:00:30",
        "Episode 2: reward=0.25, steps=7, speed=0.0 f/s, elapsed=0:01:00",
    ]


def test_stops_when_solved_and_says_so(run, capsys):
    source = scripted(*[10.0] * 3, *[1000.0] * 97, period=2)
    engine, logged = run(constant_loss, source, 500, stop_reward=25.0)
    assert (engine.state.iteration, engine.state.episode) == (8, 4)
    *episodes, solved = capsys.readouterr().out.splitlines()
    assert len(episodes) == 4
    assert "solved after 4 episodes and 8 iterations" in solved
    assert steps_of(logged)["episodes/reward"] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "loss",
    [2, np.float32(2), torch.tensor(2.0), torch.tensor([[2.0]], requires_grad=True)],
    ids=["int", "numpy", "tensor", "tensor with gradient"],
)
@pytest.mark.parametrize("key", [None, "loss"])
def test_the_loss_may_be_a_number_or_a_tensor_alone_or_in_a_mapping(loss, key, run):
    output = {key: loss, "other": "x"} if key else loss
    _, logged = run(lambda engine, batch: output, scripted(), 100)
    assert logged["train/avg_loss"] == [(100, 2.0)]


def test_iterations_without_a_loss_do_not_count(run):
    script = [None, {"loss": 1.0}, {}, {"loss": None}, {"loss": 2.0}, {"other": 5.0}]
    engine, _ = run(lambda engine, batch: script[batch], scripted(), 6)
    assert engine.state.metrics["avg_loss"] == pytest.approx(0.98 * 1.0 + 0.02 * 2.0)


def test_a_metric_that_comes_late_is_reported_and_logged_from_then_on(tmp_path):
    engine = Engine(constant_loss)
    setup_ignite(engine, scripted(), "test", extra_metrics=("values", "never"), log_dir=tmp_path)

    # Attached after the logger, as scripts do: what it sets at iteration 300 is logged there.
    @engine.on(PeriodEvents.ITERS_100_COMPLETED)
    def evaluate(engine):
        if engine.state.iteration >= 300:
            engine.state.metrics["values"] = float(engine.state.iteration)

    with pytest.warns(UserWarning, match="'(values|never)' is not there yet") as caught:
        engine.run(range(400))
    assert sum("values" in str(one.message) for one in caught) == 2
    [folder] = tmp_path.iterdir()
    logged = scalars(folder)
    assert logged["train/values"] == [(300, 300.0), (400, 400.0)]
    assert steps_of(logged)["train/avg_loss"] == [100, 200, 300, 400]
    assert "train/never" not in logged


def test_runs_of_one_name_get_folders_of_their_own_and_a_second_run_goes_on_there(tmp_path):
    engines = [Engine(constant_loss) for _ in range(2)]
    for reward, engine in enumerate(engines):
        setup_ignite(engine, scripted(reward, reward), "a/b: c", log_dir=tmp_path / "new")
    for engine in engines * 2:
        engine.run(range(1))
    folders = sorted((tmp_path / "new").iterdir())
    assert all(re.fullmatch(r"[-0-9T]{19}\.\d{6}-a_b__c", folder.name) for folder in folders)
    rewards = [scalars(folder)["episodes/reward"] for folder in folders]
    assert rewards == [[(1, 0.0), (2, 0.0)], [(1, 1.0), (2, 1.0)]]


@pytest.mark.parametrize("end", ["complete", "terminate", "interrupt", "raise"])
def test_what_was_logged_is_in_the_file_which_is_closed_with_the_engine(end, tmp_path):
    def process(engine, batch):
        if batch == 3:
            if end == "raise":
                raise RuntimeError("broken")
            if end != "complete":
                getattr(engine, end)()

    engine = Engine(process)
    logger = setup_ignite(engine, scripted(1.0, 2.0), "test", log_dir=tmp_path)
    engine.add_event_handler(Events.COMPLETED, lambda: logger.writer.add_scalar("last", 1.0, 0))
    with pytest.raises(RuntimeError) if end == "raise" else contextlib.nullcontext():
        engine.run(range(10))
    writer = logger.writer
    if end in ("complete", "terminate"):  # there at once
        assert steps_of(scalars(next(tmp_path.iterdir())))["episodes/reward"] == [1, 2]
    del engine, process
    gc.collect()
    assert writer.file_writer is None
    assert steps_of(scalars(next(tmp_path.iterdir())))["episodes/reward"] == [1, 2]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"run_name": "  "}, ValueError, "run_name must not be empty"),
        ({"exp_source": [1]}, TypeError, "exp_source must have pop_rewards_steps"),
        ({"extra_metrics": "values"}, TypeError, "extra_metrics must be several names"),
        ({"stop_reward": float("inf")}, ValueError, "must be finite"),
    ],
)
def test_bad_arguments_raise_and_leave_nothing(change, error, message, tmp_path):
    engine = Engine(constant_loss)
    arguments = {"exp_source": scripted(), "run_name": "test", "log_dir": tmp_path / "runs"}
    with pytest.raises(error, match=message):
        setup_ignite(engine, **(arguments | change))
    assert not (tmp_path / "runs").exists()
    assert not engine.has_registered_events(EpisodeEvents.EPISODE_COMPLETED)


def test_missing_tensorboard_names_the_extra(tmp_path, monkeypatch):
    for name in ("tensorboardX", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=re.escape('pip install "ptan[ignite]"')):
        setup_ignite(Engine(constant_loss), scripted(), "test", log_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_missing_ignite_names_the_extra():
    code = "import sys; sys.modules['ignite'] = None; import ptan; ptan.ignite"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = run.stderr.splitlines()[-1]
    assert last.endswith('Error: ptan.ignite needs PyTorch Ignite: pip install "ptan[ignite]"')


def test_the_textbook_script_runs(tmp_path, capsys):
    engine = Engine(lambda engine, batch: {"loss": 1.0, "epsilon": 0.5})
    exp_source = scripted(*[float(reward) for reward in range(300)])

    ptan.ignite.EndOfEpisodeHandler(
        exp_source, bound_avg_reward=17.0, subsample_end_of_episode=10
    ).attach(engine)
    ptan.ignite.EpisodeFPSHandler().attach(engine)

    @engine.on(ptan.ignite.EpisodeEvents.EPISODE_COMPLETED)
    def episode_completed(trainer):
        passed = trainer.state.metrics.get("time_passed", 0)
        print(
            f"Episode {trainer.state.episode}: reward={trainer.state.episode_reward:.0f}, "
            f"steps={trainer.state.episode_steps}, "
            f"speed={trainer.state.metrics.get('avg_fps', 0):.1f} f/s, "
            f"elapsed={timedelta(seconds=int(passed))}"
        )

    @engine.on(ptan.ignite.EpisodeEvents.BOUND_REWARD_REACHED)
    def game_solved(trainer):
        print("Solved", trainer.state.episode)
        trainer.should_terminate = True

    tb = tensorboard_logger.TensorboardLogger(log_dir=str(tmp_path))
    RunningAverage(output_transform=lambda v: v["loss"]).attach(engine, "avg_loss")
    handler = tensorboard_logger.OutputHandler(
        tag="episodes", metric_names=["reward", "steps", "avg_reward"]
    )
    event = ptan.ignite.EpisodeEvents.EPISODE_COMPLETED
    tb.attach(engine, log_handler=handler, event_name=event)

    ptan.ignite.PeriodicEvents().attach(engine)
    handler = tensorboard_logger.OutputHandler(
        tag="train", metric_names=["avg_loss", "avg_fps"], output_transform=lambda a: a
    )
    event = ptan.ignite.PeriodEvents.ITERS_10_COMPLETED
    tb.attach(engine, log_handler=handler, event_name=event)

    with contextlib.closing(tb):
        engine.run(range(1000))
    # The smoothed reward of 0, 1, 2, … in closed form: n - 49 (1 - 0.98^n) after episode n + 1.
    solved = next(n + 1 for n in range(300) if n - 49 * (1 - 0.98**n) >= 17.0)
    assert engine.state.iteration == solved
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == solved // 10 + 1
    assert printed[-1] == f"Solved {solved}"
    logged = scalars(tmp_path)
    tens = list(range(10, solved + 1, 10))
    assert logged["episodes/reward"] == [(n, n - 1.0) for n in tens]
    assert logged["train/epsilon"] == [(n, 0.5) for n in tens]
    assert steps_of(logged)["train/avg_fps"] == tens


def test_the_progress_bar_shows_our_metrics(monkeypatch):
    shown, bar = [], MagicMock(n=1, total=None)  # tqdm's, imported when a progress bar is made
    bar.set_postfix = lambda metrics: shown.append(dict(metrics))
    fake = SimpleNamespace(tqdm=lambda **settings: bar)
    monkeypatch.setitem(sys.modules, "tqdm", fake)
    monkeypatch.setitem(sys.modules, "tqdm.autonotebook", fake)

    engine = Engine(constant_loss)
    ProgressBar().attach(engine, ["avg_fps", "time_passed"])
    ptan.ignite.EndOfEpisodeHandler(scripted(4.0)).attach(engine)
    ptan.ignite.EpisodeFPSHandler().attach(engine)
    ProgressBar().attach(engine, ["avg_reward"])
    engine.run(range(2))
    first, second = shown[:2]
    assert (sorted(first), second) == (["avg_fps", "time_passed"], {"avg_reward": 4.0})
    assert len(shown) == 4
