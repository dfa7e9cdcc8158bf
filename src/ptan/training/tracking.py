"""What a run tells about itself: episodes, losses, speed, and what the network thinks."""

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptan.common.checks import whole_number
from ptan.common.generators import as_generator, check_generator_state
from ptan.experience import ExperienceReplayBuffer
from ptan.training.images import draw_distributions
from ptan.training.json_lines import JsonLinesLog, read_json_lines
from ptan.training.loop import Algorithm, Record

__all__ = ["EpisodeStatistics", "JsonLinesLog", "Log", "Tracker", "read_json_lines"]

_UNREAD = 1000  # losses that may wait on the device


class Log(Protocol):
    """Where a `Tracker` writes, such as `JsonLinesLog`. `close` is left to whoever made it."""

    def scalars(self, step: int, values: Mapping[str, float], /) -> None:
        """Take numbers by tag, at a number of environment steps."""

    def image(self, step: int, name: str, pixels: NDArray[np.uint8], /) -> None:
        """Take an image of (H, W, 3) uint8, at a number of environment steps."""

    def close(self) -> None:
        """Write out everything and release the files."""


class EpisodeStatistics:
    """The mean return of the last episodes.

    Args:
        window: Episodes in the mean, at least 1.

    Raises:
        TypeError, ValueError: window is no whole number of at least 1.
    """

    def __init__(self, window: int = 100) -> None:
        self.window = whole_number("window", window)
        self.count = 0
        """Episodes so far."""
        self.last: tuple[float, int] | None = None
        """(return, steps) of the last episode; None before the first."""
        self._returns: deque[float] = deque(maxlen=self.window)

    def add(self, episodes: Sequence[tuple[float, int]]) -> None:
        """Count finished episodes.

        Args:
            episodes: (return, steps) of each, as `Record.episodes` has them.
        """
        checked = [(float(reward), int(steps)) for reward, steps in episodes]
        self._returns.extend(reward for reward, _ in checked)
        self.count += len(checked)
        if checked:
            self.last = checked[-1]

    @property
    def mean(self) -> float | None:
        """Mean return of the last `window` episodes, of all while they are fewer; None of none."""
        return sum(self._returns) / len(self._returns) if self._returns else None

    def state_dict(self) -> dict[str, Any]:
        """Everything that is needed to go on."""
        returns = np.array(self._returns, np.float64)
        return {"returns": returns, "count": self.count, "last": self.last}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; of a longer window, its newest episodes.

        Args:
            state: The state; it is not changed.

        Raises:
            ValueError: it has other entries. Nothing is changed.
        """
        _check_entries(state, self.state_dict())
        returns = [float(value) for value in state["returns"]]
        count = whole_number("count", state["count"], least=0)
        last = None if state["last"] is None else (float(state["last"][0]), int(state["last"][1]))
        self.count, self.last = count, last
        self._returns = deque(returns, maxlen=self.window)


class Tracker:
    """Writes the metrics of a run to logs. Training is the same with it and without.

        tracker = Tracker(algorithm, buffer, [JsonLinesLog("metrics.jsonl")], rng=0)
        for record in run(algorithm, source, buffer):
            tracker.record(record)

    Everything is written at the number of environment steps:

    * at the end of an episode `episodes/reward`, `episodes/steps`, and `episodes/mean_reward` over
      the last `window` episodes
    * every `every` updates `train/avg_loss`, the mean loss of the updates since the last such line;
      `train/fps`, environment steps per second since then, whatever the time was spent on; and the
      other metrics of the update, such as `train/epsilon` and `train/beta`
    * every `diagnostics_every` updates what the algorithm's `diagnostics` says of held-out states,
      `values/values`, `values/adv` …
    * every `images_every` updates images of the distributions of returns in some of these states,
      `distributions/state_0` …, where the algorithm's `return_distributions` gives them

    The held-out states are rows of the buffer, drawn at the first update and kept from then on.
    While the buffer has fewer rows than are wanted, all are taken, and drawn anew for each look.
    Losses stay on the device until a line needs them. Speed counts from the first update.

    Args:
        algorithm: What is trained. Those of its methods `diagnostics` (states to numbers by name)
            and `return_distributions` (states to probabilities (N, A, atoms) and the atoms' values
            (atoms,), or None) that it has are asked.
        buffer: What it learns from. Only read, and its generator is not used.
        logs: Where to write; any number of them. Not closed here.
        window: Episodes in the mean reward.
        every: Gradient updates from one line to the next.
        diagnostics_every: Gradient updates between two looks at the held-out states.
        images_every: Gradient updates between two rounds of images; None is 10 such looks.
        held_out: States to hold out.
        image_states: How many of them have their distributions drawn.
        rng: Draws the held-out states: a generator for this alone, or a seed.
        clock: Tells seconds from any point in time. Time is counted from now on.

    Raises:
        TypeError, ValueError: an argument of the wrong kind or outside its range, by name.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        buffer: ExperienceReplayBuffer,
        logs: Sequence[Log],
        *,
        window: int = 100,
        every: int = 100,
        diagnostics_every: int = 100,
        images_every: int | None = None,
        held_out: int = 1000,
        image_states: int = 4,
        rng: np.random.Generator | int | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.episodes = EpisodeStatistics(window)
        """Of the episodes so far."""
        self.fps: float | None = None
        """Environment steps per second at the last line; None before the first."""
        self._logs = _checked_logs(logs)
        self._every = whole_number("every", every)
        self._diagnostics_every = whole_number("diagnostics_every", diagnostics_every)
        if images_every is None:
            images_every = 10 * self._diagnostics_every
        self._images_every = whole_number("images_every", images_every)
        self._n_held_out = whole_number("held_out", held_out)
        self._n_images = whole_number("image_states", image_states, least=0)
        self._rng = as_generator(rng)
        self._buffer = buffer
        self._diagnostics = getattr(algorithm, "diagnostics", None)
        self._distributions = getattr(algorithm, "return_distributions", None)
        self._states: Any = None  # held out: an array (N, *obs), or a list of nested observations
        self._losses = _Losses()
        self._updates = algorithm.updates
        self._line_start: tuple[int, float] | None = None  # env steps and seconds, for the speed
        self._seconds_before = 0.0
        self._clock = clock
        self._started_at = clock()

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, of its resumed parts without the pauses in between."""
        return self._seconds_before + (self._clock() - self._started_at)

    def record(self, record: Record) -> None:
        """Take the record of an update, and write what is due.

        Args:
            record: As `run` yields them, every one in turn.
        """
        self.add_episodes(record.env_steps, record.episodes)
        if "loss" in record.metrics:
            self._losses.add(record.metrics["loss"])
        if self._line_start is None:  # what came before the first update is no training
            self._line_start = record.env_steps, self.seconds
        before, self._updates = self._updates, record.updates
        self._hold_out(before)
        values: dict[str, float] = {}
        if self._due(before, self._every):
            values.update(self._train_values(record))
        if self._diagnostics is not None and self._due(before, self._diagnostics_every):
            found = self._diagnostics(self._states)
            values.update({f"values/{name}": float(value) for name, value in found.items()})
        if values:
            self._write(record.env_steps, values)
        if self._distributions is not None and self._due(before, self._images_every):
            self._log_images(record.env_steps)

    def add_episodes(self, env_steps: int, episodes: Iterable[tuple[float, int]]) -> None:
        """Write what episodes outside of records brought, such as those of a warm-up.

        Args:
            env_steps: Environment steps so far.
            episodes: (return, steps) of each.
        """
        for episode in episodes:
            self._log_episode(env_steps, episode)

    def state_dict(self) -> dict[str, Any]:
        """Everything that is needed to write on as if never stopped. Waits for the device.

        Returns:
            Counters, time, losses and episodes not written yet, held-out states and generator.
        """
        return {
            "updates": self._updates,
            "seconds": self.seconds,
            "line_start": self._line_start,
            "fps": self.fps,
            "losses": np.array(self._losses.read(), np.float64),
            "episodes": self.episodes.state_dict(),
            "states": self._states,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; time goes on from now.

        A resumed run then writes what an uninterrupted one would have written, but for the speed,
        if the logs are cut to the steps of the checkpoint: see `JsonLinesLog.truncate_after`.

        Args:
            state: The state; it is not changed.

        Raises:
            TypeError, ValueError: it has other entries, or one is of the wrong kind. Nothing is
                changed.
        """
        _check_entries(state, self.state_dict())
        updates = whole_number("updates", state["updates"], least=0)
        seconds = _seconds("seconds", state["seconds"])
        line_start = None
        if state["line_start"] is not None:
            steps, time_of_line = state["line_start"]
            line_start = (
                whole_number("line_start", steps, least=0),
                _seconds("line_start", time_of_line),
            )
        fps = None if state["fps"] is None else float(state["fps"])
        losses = [float(loss) for loss in state["losses"]]
        states = copy.deepcopy(state["states"])
        EpisodeStatistics(self.episodes.window).load_state_dict(state["episodes"])
        check_generator_state(self._rng, state["rng"], "state['rng']")
        # Nothing fails from here on.
        self._rng.bit_generator.state = state["rng"]
        self.episodes.load_state_dict(state["episodes"])
        self._updates, self._line_start, self.fps = updates, line_start, fps
        self._losses, self._states = _Losses(losses), states
        self._seconds_before, self._started_at = seconds, self._clock()

    def _due(self, before: int, every: int) -> bool:
        """Whether a multiple of `every` updates was reached since there were `before`."""
        return self._updates // every > before // every

    def _write(self, env_steps: int, values: Mapping[str, float]) -> None:
        for log in self._logs:
            log.scalars(env_steps, values)

    def _log_episode(self, env_steps: int, episode: tuple[float, int]) -> None:
        self.episodes.add([episode])
        values = {"episodes/reward": float(episode[0]), "episodes/steps": float(episode[1])}
        mean = self.episodes.mean
        assert mean is not None
        self._write(env_steps, {**values, "episodes/mean_reward": mean})

    def _train_values(self, record: Record) -> dict[str, float]:
        """The numbers of a line; those of the next one are counted from here."""
        values = {
            f"train/{name}": _as_float(value)
            for name, value in record.metrics.items()
            if name != "loss"
        }
        losses = self._losses.read()
        if losses:
            values["train/avg_loss"] = sum(losses) / len(losses)
        self._losses = _Losses()
        seconds = self.seconds
        assert self._line_start is not None
        n_steps, passed = record.env_steps - self._line_start[0], seconds - self._line_start[1]
        # A clock that has not moved yet says nothing about speed, nor does a single update.
        if n_steps and passed > 0:
            values["train/fps"] = self.fps = n_steps / passed
        self._line_start = record.env_steps, seconds
        return values

    def _hold_out(self, before: int) -> None:
        """Draw the held-out states, and again before a look while rows were too few for all."""
        if self._diagnostics is None and self._distributions is None:
            return
        if self._states is not None:
            wanted = min(self._n_held_out, self._buffer.capacity)
            look = self._due(before, self._diagnostics_every) or self._due(
                before, self._images_every
            )
            if not (look and len(self._states) < min(wanted, len(self._buffer))):
                return
        self._states = _draw_states(self._buffer, self._n_held_out, self._rng)

    def _log_images(self, env_steps: int) -> None:
        if not self._n_images:
            return
        assert self._distributions is not None
        found = self._distributions(self._states[: self._n_images])
        if found is None:
            return
        probabilities, atoms = (torch.as_tensor(part).detach().cpu().numpy() for part in found)
        for i, of_state in enumerate(probabilities):
            pixels = draw_distributions(of_state, atoms)
            for log in self._logs:
                log.image(env_steps, f"distributions/state_{i}", pixels)


class _Losses:
    """Losses in the order of the updates, read from the device as late as can be.

    All are kept, not their sum: so that the mean is the same to the bit wherever a run was stopped.
    """

    def __init__(self, read: Sequence[float] = ()) -> None:
        self._read = list(read)
        self._waiting: list[Tensor | float] = []

    def add(self, loss: Tensor | float) -> None:
        self._waiting.append(loss)
        if len(self._waiting) >= _UNREAD:
            self.read()

    def read(self) -> list[float]:
        waiting, self._waiting = self._waiting, []
        tensors = [loss.detach().reshape(()) for loss in waiting if isinstance(loss, Tensor)]
        if tensors and len(tensors) == len(waiting):
            self._read.extend(torch.stack(tensors).tolist())
        else:
            self._read.extend(map(_as_float, waiting))
        return self._read


def _as_float(value: Tensor | float) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)


def _draw_states(buffer: ExperienceReplayBuffer, count: int, rng: np.random.Generator) -> Any:
    """Observations of different rows, read past the buffer's own draws and priorities."""
    slots = rng.choice(len(buffer), size=min(count, len(buffer)), replace=False)
    rows = [buffer.buffer[slot] for slot in slots.tolist()]
    states = [(row[0] if isinstance(row, tuple) else row).state for row in rows]
    return np.stack(states) if isinstance(states[0], np.ndarray) else states


def _checked_logs(logs: Sequence[Log]) -> list[Log]:
    if not isinstance(logs, Sequence):
        raise TypeError(f"logs must be a list of logs, got {logs!r}")
    for log in logs:
        if not (hasattr(log, "scalars") and hasattr(log, "image")):
            raise TypeError(f"logs must hold objects with scalars() and image(), got {log!r}")
    return list(logs)


def _check_entries(state: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if state.keys() != expected.keys():
        raise ValueError(f"state must have the entries {sorted(expected)}, got {sorted(state)}")


def _seconds(name: str, value: Any) -> float:
    seconds = float(value)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{name} must be at least 0 and finite, got {value!r}")
    return seconds
