"""What a run tells about itself: episodes, losses, speed, and what the network thinks."""

import copy
import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ptan.algorithms.protocol import Algorithm
from ptan.common.checks import check_entries, whole_number
from ptan.common.generators import as_generator, check_generator_state, generator_state
from ptan.training.callbacks import Callback, EvaluationResult
from ptan.training.images import draw_distributions
from ptan.training.logs import Log
from ptan.training.loop import Record

__all__ = ["EpisodeStatistics", "HeldOut", "Tracker"]

_UNREAD = 1000  # losses that may wait on the device

_Diagnostics = Callable[[Any], Mapping[str, float]]
_Distributions = Callable[[Any], tuple[Tensor, Tensor] | None]


class HeldOut(Protocol):
    """Gives observations to be looked at, as every collector does."""

    def held_out(self, n: int, rng: np.random.Generator, /) -> Any:
        """At most n different observations (n, …), drawn with `rng` alone; fewer of fewer."""


class EpisodeStatistics(Callback):
    """The mean return of the last `window` episodes, at least 1."""

    def __init__(self, window: int = 100) -> None:
        self.window = whole_number("window", window)
        self.count = 0
        """Episodes so far."""
        self.last: tuple[float, int] | None = None
        """(return, steps) of the last episode; None before the first."""
        self._returns: deque[float] = deque(maxlen=self.window)

    def on_episode(self, env_steps: int, reward: float, steps: int, /) -> None:  # noqa: ARG002
        """Count a finished episode."""
        self.last = float(reward), int(steps)
        self._returns.append(self.last[0])
        self.count += 1

    @property
    def mean(self) -> float | None:
        """Mean return of the last `window` episodes, of all while they are fewer; None of none."""
        return sum(self._returns) / len(self._returns) if self._returns else None

    def state_dict(self) -> dict[str, Any]:
        """All that it needs to go on."""
        returns = np.array(self._returns, np.float64)
        return {"returns": returns, "count": self.count, "last": self.last}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; of a longer window, its newest episodes.

        Raises:
            TypeError, ValueError: it does not fit. Nothing is changed.
        """
        check_entries(state, self.state_dict())
        returns = [float(value) for value in state["returns"]]
        count = whole_number("count", state["count"], least=0)
        last = None if state["last"] is None else (float(state["last"][0]), int(state["last"][1]))
        self.count, self.last = count, last
        self._returns = deque(returns, maxlen=self.window)


class Tracker(Callback):
    """Writes the metrics of a run to logs. Training is the same with it and without.

        tracker = Tracker(algorithm, collector, [JsonLinesLog("metrics.jsonl")], rng=0)
        for record in train(algorithm, collector):
            tracker.record(record)

    At the number of environment steps it writes

    * after each episode `episodes/reward`, `episodes/steps`, and `episodes/mean_reward` over the
      last `window` episodes; after an evaluation its mean return, `evaluation/reward`
    * every `every` updates `train/avg_loss`, the mean loss of the updates since the last such line;
      `train/fps`, environment steps per second since then, whatever the time was spent on, from the
      first update on; and the update's other metrics, such as `train/epsilon` and `train/beta`
    * every `diagnostics_every` updates what the algorithm's method `diagnostics`, if it has one,
      says of held-out states, by name: `values/values`, `values/adv` …
    * every `images_every` updates (None: 10 × `diagnostics_every`) images of the distributions of
      returns in `image_states` of them, `distributions/state_0` …, if the algorithm has a method
      `return_distributions`: states to probabilities (N, A, atoms) and values of the atoms

    The states are `held_out` different ones, drawn from the collector with `rng` at the first
    update and kept from then on; while it has fewer, they are drawn anew for each look. Losses stay
    on the device until a line needs them. Logs are not closed. `clock` tells seconds from any point
    in time.

    Raises:
        TypeError, ValueError: an argument of the wrong kind or outside its range, by name.
    """

    def __init__(
        self,
        algorithm: Algorithm[Any],
        collector: HeldOut,
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
        self._logs = list(logs)
        self._every = whole_number("every", every)
        self._diagnostics_every = whole_number("diagnostics_every", diagnostics_every)
        if images_every is None:
            images_every = 10 * self._diagnostics_every
        self._images_every = whole_number("images_every", images_every)
        self._n_held_out = whole_number("held_out", held_out)
        self._n_images = whole_number("image_states", image_states, least=0)
        self._rng = as_generator(rng)
        self._collector = collector
        self._diagnostics: _Diagnostics | None = getattr(algorithm, "diagnostics", None)
        self._distributions: _Distributions | None = getattr(
            algorithm, "return_distributions", None
        )
        self._states: Any = None  # held out
        # All losses since the last line, not their sum: the mean is then the same to the bit
        # wherever a run was stopped. Those of the second list may still be on the device.
        self._losses: list[float] = []
        self._unread: list[Tensor | float] = []
        self._updates = algorithm.updates
        self._line_start: tuple[int, float] | None = None  # env steps and seconds, for the speed
        self._clock = clock
        self._start = clock()

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, of its resumed parts without the pauses in between."""
        return self._clock() - self._start

    def on_episode(self, env_steps: int, reward: float, steps: int, /) -> None:
        """Write what an episode brought."""
        self.episodes.on_episode(env_steps, reward, steps)
        mean = self.episodes.mean
        assert mean is not None
        values = {"reward": float(reward), "steps": float(steps), "mean_reward": mean}
        self._write(env_steps, {f"episodes/{name}": value for name, value in values.items()})

    def on_update(self, record: Record, /) -> None:
        """Write what is due after an update. Every one must be told."""
        loss = record.metrics.get("loss")
        if loss is not None:
            self._unread.append(loss.detach() if isinstance(loss, Tensor) else loss)
            if len(self._unread) >= _UNREAD:
                self._read_losses()
        if self._line_start is None:  # what came before the first update is no training
            self._line_start = record.env_steps, self.seconds
        before, self._updates = self._updates, record.updates
        look = self._diagnostics is not None and self._due(before, self._diagnostics_every)
        draw = self._distributions is not None and self._due(before, self._images_every)
        self._hold_out(look or draw)
        values = self._line(record) if self._due(before, self._every) else {}
        if look and self._diagnostics:
            found = self._diagnostics(self._states)
            values |= {f"values/{name}": float(value) for name, value in found.items()}
        if values:
            self._write(record.env_steps, values)
        if draw and self._n_images:
            self._draw_images(record.env_steps)

    def on_evaluation(self, env_steps: int, evaluation: EvaluationResult, /) -> None:
        """Write the mean return."""
        self._write(env_steps, {"evaluation/reward": evaluation.mean})

    def state_dict(self) -> dict[str, Any]:
        """All that it needs to write on as if never stopped. Waits for the device."""
        return {
            "updates": self._updates,
            "seconds": self.seconds,
            "line_start": self._line_start,
            "losses": np.array(self._read_losses(), np.float64),
            "episodes": self.episodes.state_dict(),
            "states": self._states,
            "rng": generator_state(self._rng),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; time goes on from now.

        A resumed run then writes what an uninterrupted one would have written, but for the speed,
        if the logs are cut to the steps of the checkpoint, by their `truncate_after`.

        Raises:
            TypeError, ValueError: it does not fit. Nothing is changed.
        """
        check_entries(state, self.state_dict())
        check_generator_state(self._rng, state["rng"], "state['rng']")
        updates = whole_number("updates", state["updates"], least=0)
        losses, start = [*map(float, state["losses"])], self._clock() - float(state["seconds"])
        self.episodes.load_state_dict(state["episodes"])
        # Nothing fails from here on.
        self._rng.bit_generator.state = state["rng"]
        self._updates, self._line_start, self._start = updates, state["line_start"], start
        self._losses, self._unread = losses, []
        self._states = copy.deepcopy(state["states"])

    def _due(self, before: int, every: int) -> bool:
        """Whether a multiple of `every` updates was reached since there were `before`."""
        return self._updates // every > before // every

    def _write(self, env_steps: int, values: Mapping[str, float]) -> None:
        for log in self._logs:
            log.scalars(env_steps, values)

    def _line(self, record: Record) -> dict[str, float]:
        """The numbers of a line; those of the next one are counted from here."""
        metrics = {name: value for name, value in record.metrics.items() if name != "loss"}
        values = {f"train/{name}": _as_float(value) for name, value in metrics.items()}
        losses = self._read_losses()
        if losses:
            values["train/avg_loss"] = sum(losses) / len(losses)
        self._losses = []
        seconds = self.seconds
        assert self._line_start is not None
        n_steps, passed = record.env_steps - self._line_start[0], seconds - self._line_start[1]
        # A clock that has not moved yet says nothing about speed, nor does a single update.
        if n_steps and passed > 0:
            values["train/fps"] = n_steps / passed
        self._line_start = record.env_steps, seconds
        return values

    def _read_losses(self) -> list[float]:
        """All losses since the last line; waits for the device once."""
        tensors = [loss.reshape(()) for loss in self._unread if isinstance(loss, Tensor)]
        if tensors and len(tensors) == len(self._unread):
            self._losses.extend(torch.stack(tensors).tolist())
        else:
            self._losses.extend(map(_as_float, self._unread))
        self._unread = []
        return self._losses

    def _hold_out(self, look: bool) -> None:
        """Draw the held-out states, and again before a look while they are too few."""
        if self._diagnostics is None and self._distributions is None:
            return
        present = 0 if self._states is None else len(self._states)
        if self._states is None or (look and present < self._n_held_out):
            states = self._collector.held_out(self._n_held_out, self._rng)
            if len(states) > present:
                self._states = states

    def _draw_images(self, env_steps: int) -> None:
        assert self._distributions is not None
        found = self._distributions(self._states[: self._n_images])
        if found is None:
            return
        probabilities, atoms = (torch.as_tensor(part).detach().cpu().numpy() for part in found)
        try:
            pictures = [draw_distributions(of_state, atoms) for of_state in probabilities]
        except ImportError:  # then TensorBoard, which would show them, is missing too
            self._n_images = 0
            return
        for (i, pixels), log in itertools.product(enumerate(pictures), self._logs):
            log.image(env_steps, f"distributions/state_{i}", pixels)


def _as_float(value: Tensor | float) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)
