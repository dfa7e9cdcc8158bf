"""How fast an engine trains."""

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ignite.engine import Engine, Events

from ptan.common.checks import check_above_zero, unit_interval


@dataclass
class _Speed:
    """What an `EpisodeFPSHandler` remembers about one engine."""

    manual: bool
    measured_at: float | None = None
    steps: int = 0
    fps: float = 0.0
    avg_fps: float = 0.0


class EpisodeFPSHandler:
    """Measure how fast an engine trains.

    After each iteration sets the metrics

    * `fps`: `fps_mul` times the steps per second since the last measurement;
    * `avg_fps`: the same, smoothed; both are 0 until iteration 2, because the first iteration of
      a run waits for the warm-up of the replay buffer and is not measured;
    * `time_passed`: seconds since this handler was constructed.

    Args:
        fps_mul: What one step counts, such as the environment steps per iteration; above 0.
        fps_smooth_alpha: Share of the old average that one measurement keeps, in [0, 1].

    Raises:
        ValueError: If a number is outside its range.
    """

    def __init__(self, fps_mul: float = 1.0, fps_smooth_alpha: float = 0.98) -> None:
        check_above_zero("fps_mul", fps_mul)
        self._fps_mul = fps_mul
        self._alpha = unit_interval("fps_smooth_alpha", fps_smooth_alpha)
        self._constructed_at = time.perf_counter()
        self._speeds: WeakKeyDictionary[Engine, _Speed] = WeakKeyDictionary()

    def attach(self, engine: Engine, manual_step: bool = False) -> None:
        """Start measuring `engine`.

        Args:
            engine: The engine. Attaching it a second time only changes `manual_step`.
            manual_step: False counts every iteration as one step. True counts the calls of
                `step`; an iteration without one is not measured, its time goes to the next step.
        """
        if engine in self._speeds:
            self._speeds[engine].manual = manual_step
            return
        self._speeds[engine] = _Speed(manual_step)
        engine.add_event_handler(Events.STARTED, self._started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def step(self) -> None:
        """Count one step; without an attached engine this does nothing."""
        for speed in self._speeds.values():
            speed.steps += 1

    def __call__(self, engine: Engine) -> None:
        """Measure the iteration that has just ended."""
        speed, now = self._speeds[engine], time.perf_counter()
        if not speed.manual:
            speed.steps += 1
        if speed.measured_at is None:
            speed.measured_at, speed.steps = now, 0
        elif speed.steps and now > speed.measured_at:
            speed.fps = self._fps_mul * speed.steps / (now - speed.measured_at)
            first = speed.avg_fps == 0.0
            speed.avg_fps = (
                speed.fps if first else self._alpha * speed.avg_fps + (1 - self._alpha) * speed.fps
            )
            speed.measured_at, speed.steps = now, 0
        self._show(engine, speed, now)

    def _started(self, engine: Engine) -> None:
        speed = self._speeds[engine]
        speed.measured_at = None  # the pause since the last run is not training time
        self._show(engine, speed, time.perf_counter())

    def _show(self, engine: Engine, speed: _Speed, now: float) -> None:
        engine.state.metrics.update(
            fps=speed.fps, avg_fps=speed.avg_fps, time_passed=now - self._constructed_at
        )
