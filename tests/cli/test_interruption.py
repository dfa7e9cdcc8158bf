"""Ctrl-C: the first saves and says how to go on, the second stops at once."""

import signal
import threading
from pathlib import Path

import pytest

from ptan.algorithms import DQN
from ptan.cli.progress import interruption

from .conftest import SMALL


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
