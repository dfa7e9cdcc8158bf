"""Threads are tuned to what updates take, on scripted machines whose clock updates move."""

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ptan.training.loop import Record
from ptan.training.threads import ThreadTuner, is_small, torch_threads

RECORD = Record(1, 1, {}, [])


class Machine:
    """Updates take what `cost` says of the threads in use, the time, and a generator."""

    def __init__(self, cost: Callable[[int, float, np.random.Generator], float]) -> None:
        self.cost, self.now, self.updates = cost, 0.0, 0
        self.rng = np.random.default_rng(7)
        self.lines: list[str] = []

    def tuner(self, start: int = 1, most: int = 2) -> ThreadTuner:
        return ThreadTuner(start, most, report=self.lines.append, clock=lambda: self.now)

    def train(self, tuner: ThreadTuner | None, seconds: float) -> float:
        """Updates per second; every 100 of them something is logged, which takes long."""
        end, first, begin = self.now + seconds, self.updates, self.now
        while self.now < end:
            self.now += self.cost(torch.get_num_threads(), self.now, self.rng)
            self.updates += 1
            if self.updates % 100 == 0:
                self.now += 0.2
            if tuner is not None:
                tuner.record(RECORD)
        return (self.updates - first) / (self.now - begin)


def fixed(costs: dict[int, float]) -> Callable[..., float]:
    return lambda threads, now, rng: costs[threads] * rng.lognormal(0, 0.1) / 1000


@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize(
    ("costs", "best"),
    [
        ({1: 20, 2: 12}, 2),
        ({1: 20, 2: 20}, 1),
        ({1: 20, 2: 400}, 1),
        ({1: 20, 2: 12, 4: 7, 6: 5}, 6),
        ({1: 20, 2: 12, 4: 7, 8: 12}, 4),
        ({1: 20, 2: 25, 4: 5}, 1),  # looks no further than the next
    ],
    ids=str,
)
def test_the_number_that_is_worth_it_is_found_and_kept(costs, best, start) -> None:
    machine = Machine(fixed(costs))
    tuner = machine.tuner(start, max(costs))
    machine.train(tuner, 6.0)
    assert tuner.threads == best
    told = len(machine.lines)
    speed = machine.train(tuner, 60.0)
    assert tuner.threads == best
    assert len(machine.lines) == told
    with torch_threads(best):
        assert speed > 0.92 * Machine(fixed(costs)).train(None, 60.0)


def quiet(threads: int, rng: np.random.Generator) -> float:
    return {1: 0.020, 2: 0.012}[threads] * rng.lognormal(0, 0.1)


BUSY = {
    "now and then very slow": lambda threads, rng: (
        0.022 if threads == 1 else 0.012 + min(rng.pareto(1.0), 10) * 0.06 * (rng.random() < 0.7)
    ),
    "always slow": lambda threads, rng: (0.022 if threads == 1 else 0.09) * rng.lognormal(0, 0.3),
    "every other one slow": lambda threads, rng: (
        0.022 if threads == 1 else 0.012 if rng.random() < 0.5 else 0.2
    ),
    "two still faster": lambda threads, rng: 0.03 if threads == 1 else 0.024,
}


@pytest.mark.parametrize("length", [3, 10, 60])
@pytest.mark.parametrize("kind", BUSY)
def test_beside_a_neighbour_that_comes_and_goes_it_is_near_the_better_fixed_number(
    kind, length
) -> None:
    def cost(threads, now, rng):
        return (BUSY[kind] if int(now // length) % 2 else quiet)(threads, rng)

    speeds = []
    for threads in (1, 2):
        with torch_threads(threads):
            speeds.append(Machine(cost).train(None, 6 * length))
    machine = Machine(cost)
    assert machine.train(machine.tuner(), 6 * length) > 0.8 * max(speeds)


def test_it_goes_down_with_a_neighbour_and_up_again_when_it_is_quiet() -> None:
    def cost(threads, now, rng):
        return (BUSY["always slow"] if 30 < now < 60 else quiet)(threads, rng)

    machine = Machine(cost)
    tuner, found = machine.tuner(), []
    for seconds in (30, 3, 27, 10):
        machine.train(tuner, seconds)
        found.append(tuner.threads)
    assert found == [2, 1, 1, 2]


def test_updates_that_are_slow_for_other_reasons_change_nothing() -> None:
    machine = Machine(lambda threads, now, rng: (1 + (now > 10)) * quiet(threads, rng))
    tuner = machine.tuner()
    machine.train(tuner, 10)
    told = len(machine.lines)
    machine.train(tuner, 30)
    assert (tuner.threads, len(machine.lines)) == (2, told)


def test_evaluations_and_checkpoints_are_left_out() -> None:
    machine = Machine(fixed({1: 20, 2: 12}))
    tuner = machine.tuner()
    machine.train(tuner, 10)
    told = len(machine.lines)
    for leave_out in (tuner.on_evaluation, tuner.on_checkpoint) * 50:
        machine.train(tuner, 0.05)
        machine.now += 100.0
        leave_out(machine.updates, None)
    assert (tuner.threads, len(machine.lines)) == (2, told)


def test_a_change_is_told_in_a_line_and_the_end_of_training_ends_a_trial() -> None:
    machine = Machine(lambda threads, now, rng: {1: 0.02, 2: 0.0125, 4: 0.02}[threads])
    tuner = machine.tuner(most=4)
    while torch.get_num_threads() != 4:
        machine.train(tuner, 0.01)
    tuner.on_end("steps")
    assert (tuner.threads, torch.get_num_threads()) == (2, 2)
    assert machine.lines == ["threads: 2 instead of 1, an update takes 12.5 ms instead of 20.0"]


def test_one_processor_leaves_no_choice() -> None:
    machine = Machine(lambda threads, now, rng: 0.02)
    machine.train(tuner := machine.tuner(start=4, most=1), 5)
    assert (tuner.threads, tuner.most, torch.get_num_threads()) == (1, 1, 1)
    assert ThreadTuner().most >= 1


@pytest.mark.parametrize(("start", "most"), [(0, 2), (1, 0), (1.5, 2)])
def test_numbers_that_make_no_sense_are_named(start, most) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^(start|most) must be"):
        ThreadTuner(start, most)


def test_small_networks_are_those_of_vectors_with_few_weights() -> None:
    few, many = [torch.zeros(100, 30), torch.zeros(30)], [torch.zeros(1000, 301)]
    assert is_small(few)
    assert not is_small(many)
    assert not is_small([*few, torch.zeros(2, 4, 8, 8)])


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with contextlib.suppress(KeyError), torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before
