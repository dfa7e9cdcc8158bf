"""Speed and time left."""

import pytest

from ptan.runs.progress import Progress, Speed


def test_speed_looks_back_a_few_seconds() -> None:
    speed = Speed(span=10.0)
    assert speed.value is None
    for second in range(30):
        speed.add(second * 100 if second < 15 else 1_400 + (second - 14) * 10, float(second))
    assert speed.value == pytest.approx(10.0)
    progress = Progress("training", 500, 1_500, 1, 0, None, None, None, speed.value)
    assert progress.seconds_left == pytest.approx(100.0)
    speed.forget()
    assert speed.value is None
