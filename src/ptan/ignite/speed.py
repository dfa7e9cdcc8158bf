"""How fast an engine trains."""

import time

from ignite.engine import Engine, Events

from ptan.common.checks import check_above_zero, unit_interval


class EpisodeFPSHandler:
    """Measure how fast an engine trains.

    After each iteration sets the metrics

    * `fps`: `fps_mul`, what one step counts, times the steps per second since the last measurement;
    * `avg_fps`: the same, smoothed: `fps_smooth_alpha` is the share of the old average that one
      measurement keeps; both are 0 until iteration 2, because the first iteration of a run waits
      for the warm-up of the replay buffer and is not measured;
    * `time_passed`: seconds since this handler was constructed.

    Raises ValueError unless `fps_mul` is above 0 and `fps_smooth_alpha` in [0, 1].
    """

    def __init__(self, fps_mul: float = 1.0, fps_smooth_alpha: float = 0.98) -> None:
        check_above_zero("fps_mul", fps_mul)
        self._fps_mul = fps_mul
        self._alpha = unit_interval("fps_smooth_alpha", fps_smooth_alpha)
        self._constructed_at = time.perf_counter()
        self._manual, self._steps = False, 0
        self._fps = self._avg_fps = 0.0
        self._measured_at: float | None = None

    def attach(self, engine: Engine, manual_step: bool = False) -> None:
        """Start measuring `engine`; attaching it a second time only changes `manual_step`.

        False counts every iteration as one step. True counts the calls of `step`; an iteration
        without one is not measured, its time goes to the next step.
        """
        self._manual = manual_step
        if not engine.has_event_handler(self, Events.ITERATION_COMPLETED):
            engine.add_event_handler(Events.STARTED, self._started)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def step(self) -> None:
        """Count one step; without an attached engine this does nothing."""
        self._steps += 1

    def __call__(self, engine: Engine) -> None:
        """Measure the iteration that has just ended."""
        now = time.perf_counter()
        if not self._manual:
            self._steps += 1
        if self._measured_at is None:
            self._measured_at, self._steps = now, 0
        elif self._steps and now > self._measured_at:
            self._fps = self._fps_mul * self._steps / (now - self._measured_at)
            alpha = self._alpha if self._avg_fps else 0.0
            self._avg_fps = alpha * self._avg_fps + (1 - alpha) * self._fps
            self._measured_at, self._steps = now, 0
        self._show(engine, now)

    def _started(self, engine: Engine) -> None:
        self._measured_at = None  # the pause since the last run is not training time
        self._show(engine, time.perf_counter())

    def _show(self, engine: Engine, now: float) -> None:
        engine.state.metrics.update(
            fps=self._fps, avg_fps=self._avg_fps, time_passed=now - self._constructed_at
        )
