"""What a run shows; Ctrl-C: the first saves and says how to go on, the second stops at once."""

import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ptan.algorithms import DQN
from ptan.cli.progress import Lines, interruption
from ptan.training.tracking import EpisodeStatistics

from .conftest import SMALL


def test_speed_looks_back_a_few_seconds_and_tells_the_time_left(capsys) -> None:
    seconds, lines = iter(range(30)), Lines(every=0.0)
    run = SimpleNamespace(
        settings=SimpleNamespace(steps=1_640),
        algorithm=SimpleNamespace(env_steps=0),
        recent=EpisodeStatistics(),
        metrics={"epsilon": 0.5},
        clock=lambda: float(next(seconds)),
    )
    for second in range(30):
        run.algorithm.env_steps = second * 100 if second < 15 else 1_400 + (second - 14) * 10
        lines.progress(run, "training" if second else "warm-up")
        run.recent.on_episode(0, 3.0, 1)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "0/1,640 steps  warm-up  ε 0.50"
    assert out[-1] == (
        "1,550/1,640 steps  reward 3.0  mean 3.00  ε 0.50  10 steps/s  0:09 min left"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_request_and_a_second_one_stops(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruption() as asked:
        assert not asked()
        signal.raise_signal(number)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_than_the_main_one_leave_signals_alone() -> None:
    handlers = []

    def work() -> None:
        with interruption() as asked:
            handlers.extend([signal.getsignal(signal.SIGINT), asked()])

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before, False]


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch):
    """Sends signals in the middle of the given update."""

    def arrange(update: int, times: int = 1) -> None:
        step, count = DQN.update, 0

        def signalled(algorithm, batch):
            nonlocal count
            count += 1
            if count == update:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)
            return step(algorithm, batch)

        monkeypatch.setattr(DQN, "update", signalled)

    return arrange


def test_ctrl_c_finishes_the_update_saves_and_says_how_to_go_on(
    ptan, tmp_path: Path, signal_at
) -> None:
    signal_at(10)
    outcome = ptan("train dqn --steps 500 --name cut --out", tmp_path, *SMALL)
    folder = tmp_path / "cut"
    assert outcome.status == 130
    assert f"ptan train dqn --resume {folder}" in outcome.err[-1]
    assert str(folder) in outcome.out[-1]
    assert not (folder / "result.json").exists()
    (checkpoint,) = (folder / "checkpoints").glob("*-step-*")
    assert checkpoint.name.endswith("-step-30")  # 20 steps of warm-up, 10 updates

    again = ptan("train dqn --steps 60 --resume", folder)
    assert again.status == 0, again.err
    assert str(folder) in again.out[-1]
    assert (folder / "result.json").exists()


def test_a_second_ctrl_c_stops_at_once(ptan, tmp_path: Path, signal_at) -> None:
    signal_at(5, times=2)
    outcome = ptan("train dqn --steps 500 --name cut --out", tmp_path, *SMALL)
    assert (outcome.status, outcome.err) == (130, ["ptan: stopped"])
    assert not list((tmp_path / "cut").glob("checkpoints/*-step-*"))
