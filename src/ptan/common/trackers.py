"""Trackers of training progress: moving averages, means per batch, rewards of episodes."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import ArrayLike

from ptan.common.checks import check_at_least, number, whole_number

__all__ = ["RewardTracker", "SMAQueue", "TBMeanTracker"]


class _Writer(Protocol):
    """What trackers need of a writer, such as `torch.utils.tensorboard.SummaryWriter`."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int, /) -> object: ...

    def close(self) -> None: ...


class SMAQueue:
    """The last `size` values with their minimum, mean and maximum: `queue += [1.0, 2.0]`."""

    def __init__(self, size: int) -> None:
        self.size = whole_number("size", size)
        self.queue: deque[float] = deque(maxlen=self.size)

    def __iadd__(self, other: float | Iterable[float]) -> Self:
        """Add a value, or every value of a list, tuple or array."""
        self.queue.extend(_floats(other))
        return self

    def __len__(self) -> int:
        return len(self.queue)

    def __repr__(self) -> str:
        return f"SMAQueue(size={self.size}, len={len(self)})"

    def min(self) -> float | None:
        """The smallest value, None if there is none."""
        return min(self.queue, default=None)

    def mean(self) -> float | None:
        """The mean of the values, None if there is none."""
        return float(np.mean(self.queue)) if self.queue else None

    def max(self) -> float | None:
        """The largest value, None if there is none."""
        return max(self.queue, default=None)


def _floats(given: Any) -> list[float]:
    try:
        return [float(value) for value in (given if np.ndim(given) else [given])]
    except (TypeError, ValueError) as error:
        raise type(error)(f"value must be a float or a list of them, got {given!r}") from None


class _ClosesWriter:
    """A context manager that closes its writer once."""

    def __init__(self, writer: _Writer) -> None:
        if not (hasattr(writer, "add_scalar") and hasattr(writer, "close")):
            raise TypeError(f"writer must have add_scalar and close, got {writer!r}")
        self.writer = writer
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the writer; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self.writer.close()


class TBMeanTracker(_ClosesWriter):
    """Writes the mean of every `batch_size` values of a name."""

    def __init__(self, writer: _Writer, batch_size: int) -> None:
        super().__init__(writer)
        self.batch_size = whole_number("batch_size", batch_size)
        self._values: dict[str, list[float]] = {}

    def track(self, name: str, value: ArrayLike | torch.Tensor, step: int) -> None:
        """Take a number, or the mean of an array or tensor; write the mean of `batch_size` values.

        Tensors may be on any device, with or without gradients.
        """
        if isinstance(value, torch.Tensor):
            value = value.detach().to("cpu", torch.float64).numpy()
        try:
            mean = float(np.mean(value))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise TypeError(f"value must be a number or an array, got {value!r}") from None
        values = self._values.setdefault(name, [])
        values.append(mean)
        if len(values) >= self.batch_size:
            self.writer.add_scalar(name, float(np.mean(values)), step)
            values.clear()


class RewardTracker(_ClosesWriter):
    """Logs the rewards of episodes and tells when the environment is solved.

    Args:
        writer: takes `reward`, `reward_100`, `speed` (frames per second) and `epsilon`.
        stop_reward: the 100-episode mean to pass; None to report the mean instead.
        min_ts_diff: least seconds over which speed is measured, and between two logged speeds; the
            first is logged with the first episode.
    """

    def __init__(
        self, writer: _Writer, stop_reward: float | None = None, *, min_ts_diff: float = 1.0
    ) -> None:
        super().__init__(writer)
        check_at_least("min_ts_diff", min_ts_diff, 0)
        if stop_reward is not None and np.isnan(number("stop_reward", stop_reward)):
            raise ValueError("stop_reward must be a number or None, got nan")
        self.stop_reward = stop_reward
        self.min_ts_diff = min_ts_diff
        self.total_rewards: list[float] = []
        self._since, self._since_frame = time.perf_counter(), 0

    def __enter__(self) -> Self:
        self._since, self._since_frame = time.perf_counter(), 0
        return self

    def reward(self, value: float, frame: int, epsilon: float | None = None) -> bool | float | None:
        """Take the undiscounted reward of an episode that ended at a frame.

        Returns:
            With `stop_reward`: whether the mean of the last 100 episodes passed it. Without: this
            mean, None before there are 30 episodes.
        """
        self.total_rewards += _floats([value])
        mean = float(np.mean(self.total_rewards[-100:]))
        speed = self._log_speed(frame)
        logged = {"epsilon": epsilon, "reward_100": mean, "reward": self.total_rewards[-1]}
        for name, scalar in logged.items():
            if scalar is not None:
                self.writer.add_scalar(name, scalar, frame)
        if self.stop_reward is None:
            return mean if len(self.total_rewards) >= 30 else None
        eps = "" if epsilon is None else f", eps {epsilon:.2f}"
        line = f"{frame}: done {len(self.total_rewards)} games, mean reward {mean:.3f}, "
        print(f"{line}speed {speed:.2f} f/s{eps}", flush=True)  # noqa: T201
        solved = mean > self.stop_reward
        if solved:
            print(f"Solved in {frame} frames!", flush=True)  # noqa: T201
        return solved

    def _log_speed(self, frame: int) -> float:
        """Speed since the watch was started; starts it again once it ran long enough."""
        now = time.perf_counter()
        elapsed = now - self._since
        # A clock that has not moved yet says nothing about speed.
        speed = (frame - self._since_frame) / elapsed if elapsed > 0 else 0.0
        long_enough = elapsed >= self.min_ts_diff
        if long_enough or len(self.total_rewards) == 1:
            self.writer.add_scalar("speed", speed, frame)
        if long_enough:
            self._since, self._since_frame = now, frame
        return speed
