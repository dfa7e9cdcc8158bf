"""Speed and time left."""

import pytest

from ptan.runs.progress import Display, Progress, Watcher
from ptan.training.tracking import EpisodeStatistics


def test_speed_looks_back_a_few_seconds() -> None:
    display, found = Display(Watcher(), 1_500, EpisodeStatistics()), []
    for second in range(30):
        steps = second * 100 if second < 15 else 1_400 + (second - 14) * 10
        found.append(display.speed(steps, float(second)))
    assert found[0] is None
    assert found[-1] == pytest.approx(10.0)
    progress = Progress("training", 500, 1_500, 1, None, None, None, found[-1])
    assert progress.seconds_left == pytest.approx(100.0)
    display.forget_speed()
    assert display.speed(9, 40.0) is None
