"""What a run tells about itself: episodes, losses, speed, and what the network thinks."""

import copy
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptan.agent.base import batch_size
from ptan.algorithms.protocol import Algorithm
from ptan.collectors import Collector
from ptan.common.checks import check_entries, whole_number
from ptan.common.generators import as_generator, check_generator_state, generator_state
from ptan.common.types import Observations, SavedState, State
from ptan.experience.recorder import map_arrays
from ptan.training.callbacks import Callback, EvaluationResult
from ptan.training.images import draw_distributions
from ptan.training.logs import Log
from ptan.training.loop import Record

__all__ = ["EpisodeStatistics", "Tracker"]

_HoldOut = Callable[[int, np.random.Generator], Observations]
_Diagnostics = Callable[[Observations], Mapping[str, float]]
_Images = Callable[[Observations], tuple[Tensor, Tensor] | None]


class EpisodeStatistics(Callback):
    """The returns of the last `window` episodes, at least 1, and the count of all."""

    def __init__(self, window: int = 100) -> None:
        self.count = 0
        self.returns: deque[float] = deque(maxlen=whole_number("window", window))

    def on_episode(self, env_steps: int, reward: float, steps: int, /) -> None:  # noqa: ARG002
        self.returns.append(float(reward))
        self.count += 1

    @property
    def mean(self) -> float | None:
        """Of the last `window` returns, of all while they are fewer; None of none."""
        return sum(self.returns) / len(self.returns) if self.returns else None

    def state_dict(self) -> State:
        """All that it needs to go on."""
        return {"returns": np.array(self.returns), "count": self.count}

    def load_state_dict(self, state: SavedState) -> None:
        """Take over what `state_dict` returned; of a longer window, its newest episodes."""
        check_entries(state, self.state_dict())
        self.count = state["count"]
        self.returns = deque(state["returns"].tolist(), maxlen=self.returns.maxlen)


class Tracker(Callback):
    """Writes the metrics of a run to logs. Training is the same with it and without.

        tracker = Tracker(algorithm, collector, [JsonLinesLog("metrics.jsonl")], rng=0)
        for record in train(algorithm, collector):
            tracker.record(record)

    It writes, at the number of environment steps,

    * after each episode `episodes/…`: its reward and steps, and the mean reward of `window`
    * every `every` updates `train/…`: the mean loss and the speed since the last such line, and the
      update's other metrics
    * every `diagnostics_every` updates `values/…`: what the algorithm's `diagnostics`, if it has
      any, say of `held_out` states, and every tenth time images of its `return_distributions`
    * after each evaluation `evaluation/reward`: the mean return

    The states are drawn from the collector with `rng` once, or for each look while it has fewer;
    without its method `held_out` there are none. Losses stay on the device until a line needs them.
    Logs are not closed. `clock` tells seconds from any point in time.
    """

    def __init__(
        self,
        algorithm: Algorithm[Any],
        collector: Collector[Any],
        logs: Sequence[Log],
        *,
        window: int = 100,
        every: int = 100,
        diagnostics_every: int = 100,
        held_out: int = 1000,
        rng: np.random.Generator | int | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.episodes = EpisodeStatistics(window)
        """Of the episodes so far."""
        self.logs = list(logs)
        """Where it writes."""
        self._every = whole_number("every", every)
        self._diagnostics_every = whole_number("diagnostics_every", diagnostics_every)
        self._n_held_out = whole_number("held_out", held_out)
        self._rng = as_generator(rng)
        self._hold_out: _HoldOut | None = getattr(collector, "held_out", None)
        self._diagnostics: _Diagnostics | None = getattr(algorithm, "diagnostics", None)
        self._distributions: _Images | None = getattr(algorithm, "return_distributions", None)
        self._states: Observations = None  # held out
        # All losses since the last line, not their sum, and those that are still on the device.
        self._losses: list[float] = []
        self._unread: list[Tensor] = []
        self._line_start: tuple[int, float] | None = None  # env steps and seconds, for the speed
        self._clock = clock

    def on_episode(self, env_steps: int, reward: float, steps: int, /) -> None:
        self.episodes.on_episode(env_steps, reward, steps)
        values = {"reward": reward, "steps": steps, "mean_reward": self.episodes.mean or 0.0}
        self._write(env_steps, {f"episodes/{name}": value for name, value in values.items()})

    def on_update(self, record: Record, /) -> None:
        if (loss := record.metrics.get("loss")) is not None:
            one = loss if isinstance(loss, Tensor) else torch.tensor(loss, dtype=torch.float64)
            self._unread.append(one.detach())
        # What came before the first update is no training.
        self._line_start = self._line_start or (record.env_steps, self._clock())
        values = {} if record.updates % self._every else self._line(record)
        look = self._hold_out is not None and record.updates % self._diagnostics_every == 0
        if look and self._diagnostics:
            found = self._diagnostics(self._held_out())
            values |= {f"values/{name}": float(value) for name, value in found.items()}
        if values:
            self._write(record.env_steps, values)
        if look and self._distributions and record.updates % (10 * self._diagnostics_every) == 0:
            few = map_arrays(lambda part: part[:4], self._held_out())
            self._draw(record.env_steps, self._distributions(few))

    def on_evaluation(self, env_steps: int, evaluation: EvaluationResult, /) -> None:
        self._write(env_steps, {"evaluation/reward": evaluation.mean})

    def state_dict(self) -> State:
        """All that it needs to go on. Waits for the device."""
        return {
            "losses": np.array(self._read_losses(), np.float64),
            "episodes": self.episodes.state_dict(),
            "states": self._states,
            "rng": generator_state(self._rng),
        }

    def load_state_dict(self, state: SavedState) -> None:
        """Take over what `state_dict` returned, to write on as if never stopped, but for the speed.

        The logs are to be cut to the steps of the checkpoint, by their `truncate_after`.
        """
        check_entries(state, self.state_dict())
        check_generator_state(self._rng, state["rng"], "state['rng']")
        self.episodes.load_state_dict(state["episodes"])
        self._rng.bit_generator.state = state["rng"]
        self._line_start = None
        self._losses, self._unread = state["losses"].tolist(), []
        self._states = copy.deepcopy(state["states"])

    def _write(self, env_steps: int, values: Mapping[str, float]) -> None:
        for log in self.logs:
            log.scalars(env_steps, values)

    def _line(self, record: Record) -> dict[str, float]:
        """The numbers of a line; those of the next one are counted from here."""
        values = {
            f"train/{name}": float(x.detach() if isinstance(x, Tensor) else x)
            for name, x in record.metrics.items()
            if name != "loss"
        }
        if losses := self._read_losses():
            values["train/avg_loss"] = sum(losses) / len(losses)
        self._losses = []
        assert self._line_start is not None
        (steps_then, then), now = self._line_start, self._clock()
        if record.env_steps > steps_then and now > then:
            values["train/fps"] = (record.env_steps - steps_then) / (now - then)
        self._line_start = record.env_steps, now
        return values

    def _read_losses(self) -> list[float]:
        """All losses since the last line; waits for the device once."""
        if self._unread:
            self._losses += torch.stack(self._unread).tolist()
            self._unread = []
        return self._losses

    def _held_out(self) -> Observations:
        """The held-out states, drawn anew while they are too few."""
        if self._states is None or batch_size(self._states) < self._n_held_out:
            assert self._hold_out is not None
            self._states = self._hold_out(self._n_held_out, self._rng)
        return self._states

    def _draw(self, env_steps: int, found: tuple[Tensor, Tensor] | None) -> None:
        """Write images of the distributions of returns."""
        if found is None:
            return
        probabilities, atoms = (part.detach().cpu().numpy() for part in found)
        # Without Pillow, TensorBoard, which would show them, is missing too.
        with suppress(ImportError):
            for i, of_state in enumerate(probabilities):
                pixels = draw_distributions(of_state, atoms)
                for log in self.logs:
                    log.image(env_steps, f"distributions/state_{i}", pixels)
