"""The usual set of handlers, printed lines and TensorBoard, in one call."""

import re
import warnings
import weakref
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from ignite.handlers.tensorboard_logger import OutputHandler, TensorboardLogger

from ptan.ignite.episodes import EndOfEpisodeHandler, EpisodeSource
from ptan.ignite.events import EpisodeEvents, PeriodEvents, PeriodicEvents, move_last
from ptan.ignite.speed import EpisodeFPSHandler


def setup_ignite(
    engine: Engine,
    exp_source: EpisodeSource,
    run_name: str,
    *,
    stop_reward: float | None = None,
    extra_metrics: Iterable[str] = (),
    log_dir: str | Path = "runs",
) -> TensorboardLogger:
    """Print and log the training of an engine, and stop it when the task is solved.

    Prints one line per episode. Writes to TensorBoard `episodes/{reward,steps,avg_reward}` at the
    number of every episode and `train/{avg_loss,avg_fps,…}` at every 100th iteration, into a new
    folder `{log_dir}/{time}-{run_name}`, in which further runs of the engine continue. Points are
    in the file after ten seconds, or when a run ends; it is closed with the engine.

    The engine's output is the loss, or a mapping that has it under "loss": a number or a tensor
    with one element. Iterations whose output is None or has no "loss" do not count in `avg_loss`.

    Args:
        exp_source: An experience source, a collector, or another `EpisodeSource`.
        run_name: Names the run; characters that do not fit a folder name become `_`.
        stop_reward: Smoothed reward per episode (`avg_reward`) at which the run prints that it is
            solved, and stops. None: never.
        extra_metrics: Names in `engine.state.metrics` or in the engine's output to log beside
            `avg_loss` and `avg_fps`. One that is not there yet is left out, with a warning.
        log_dir: Folder for all runs.

    Returns the logger, to attach more handlers to; its `writer.log_dir` is the run's folder. Raises
    ImportError where TensorBoard is not installed.
    """
    if isinstance(extra_metrics, str):
        raise TypeError(f"extra_metrics must be several names, got the string {extra_metrics!r}")
    train_metrics = ["avg_loss", "avg_fps", *extra_metrics]
    episodes = EndOfEpisodeHandler(exp_source, bound_avg_reward=stop_reward)
    logger = _open_logger(Path(log_dir), run_name)

    engine.add_event_handler(Events.ITERATION_COMPLETED, _average_loss)
    EpisodeFPSHandler().attach(engine)
    episodes.attach(engine)
    PeriodicEvents().attach(engine)
    engine.add_event_handler(EpisodeEvents.EPISODE_COMPLETED, _print_episode)
    engine.add_event_handler(EpisodeEvents.BOUND_REWARD_REACHED, _stop_solved)
    logger.attach(
        engine,
        log_handler=OutputHandler(tag="episodes", metric_names=["reward", "steps", "avg_reward"]),
        event_name=EpisodeEvents.EPISODE_COMPLETED,
    )
    every_100 = PeriodEvents.ITERS_100_COMPLETED
    log = partial(_log_training, logger=logger, names=train_metrics)
    engine.add_event_handler(every_100, log)
    # The user's own handlers of this event compute metrics that are to be logged.
    engine.add_event_handler(Events.STARTED, move_last, every_100, log)
    engine.add_event_handler(Events.COMPLETED, logger.writer.flush)
    weakref.finalize(engine, logger.close)
    return logger


def _open_logger(log_dir: Path, run_name: str) -> TensorboardLogger:
    """A logger that writes to a folder of the run's own."""
    name = re.sub(r"[^\w.-]", "_", run_name.strip())
    if not name:
        raise ValueError(f"run_name must not be empty, got {run_name!r}")
    folder = log_dir / f"{datetime.now().strftime('%Y-%m-%dT%H-%M-%S.%f')}-{name}"
    try:
        return TensorboardLogger(log_dir=str(folder), flush_secs=10)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'setup_ignite needs TensorBoard: pip install "ptan[ignite]"', name=error.name
        ) from error


def _average_loss(engine: Engine) -> None:
    """Keep the running average of the loss in the metric `avg_loss`."""
    output, metrics = engine.state.output, engine.state.metrics
    loss = output.get("loss") if isinstance(output, Mapping) else output
    if loss is not None:
        loss = loss.item() if isinstance(loss, torch.Tensor) else float(loss)
        metrics["avg_loss"] = 0.98 * metrics.get("avg_loss", loss) + 0.02 * loss


def _elapsed(engine: Engine) -> timedelta:
    return timedelta(seconds=int(engine.state.metrics["time_passed"]))


def _print_episode(engine: Engine) -> None:
    state = engine.state
    print(  # noqa: T201 - this line is what the function is for
        f"Episode {state.episode}: reward={round(state.episode_reward, 2):.10g}, "
        f"steps={state.episode_steps}, speed={state.metrics['avg_fps']:.1f} f/s, "
        f"elapsed={_elapsed(engine)}",
        flush=True,
    )


def _stop_solved(engine: Engine) -> None:
    state = engine.state
    print(  # noqa: T201 - this line is what the function is for
        f"Environment solved after {state.episode} episodes and {state.iteration} iterations "
        f"in {_elapsed(engine)}: average reward {state.metrics['avg_reward']:.3f}",
        flush=True,
    )
    engine.terminate()


def _log_training(engine: Engine, logger: TensorboardLogger, names: list[str]) -> None:
    """Log metrics, each from when it first exists."""
    output = engine.state.output if isinstance(engine.state.output, Mapping) else {}
    for name in names:
        value = engine.state.metrics.get(name, output.get(name))
        if value is None:
            warnings.warn(f"metric {name!r} is not there yet: not logged", stacklevel=1)
        else:
            logger.writer.add_scalar(f"train/{name}", value, engine.state.iteration)
