"""A log of numbers as a text file: one JSON object per line."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptan.common.checks import whole_number

__all__ = ["JsonLinesLog", "read_json_lines"]

_OWN_NAMES = ("env_steps", "seconds")


class JsonLinesLog:
    """Writes numbers to a text file, to be read while the run goes on and after it was killed.

    Each call of `scalars` adds one line, `{"env_steps": 200, "seconds": 1.5, "train/fps": 133.0}`,
    and hands it to the operating system at once. Numbers that JSON does not know, NaN and the
    infinities, are written as null. `read_json_lines` reads the file.

    Args:
        path: The file; missing folders above it are made.
        append: Whether to go on with a file that exists. A torn last line, which a killed run may
            leave, is removed, and `seconds` go on from the last line.
        clock: Tells seconds from any point in time.

    Raises:
        FileExistsError: the file exists, and append is False.
        ValueError: the file to go on with has a line that is no JSON object. It is left as it is.
    """

    def __init__(
        self,
        path: Path | str,
        append: bool = False,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not append:
            raise FileExistsError(f"{self.path} exists: pass append=True to go on with it")
        end, seconds = _end_and_seconds(self.path) if self.path.exists() else (0, 0.0)
        self._file = self.path.open("ab")
        self._file.truncate(end)
        _end_the_line(self.path, self._file)
        self._clock = clock
        self._set_seconds(seconds)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add one line.

        Args:
            step: Environment steps so far.
            values: Numbers by tag, such as `train/avg_loss`.

        Raises:
            TypeError, ValueError: step is no whole number of at least 0, a value is no number, or a
                tag is `env_steps` or `seconds`. Nothing is written.
        """
        env_steps = whole_number("step", step, least=0)
        if taken := [name for name in _OWN_NAMES if name in values]:
            raise ValueError(f"values must not have the tag {taken[0]!r}, which every line has")
        numbers = {tag: _as_json(tag, value) for tag, value in values.items()}
        line = {"env_steps": env_steps, "seconds": round(self._seconds(), 6), **numbers}
        self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
        self._file.flush()

    def image(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Do nothing: images do not go into a text file."""

    def truncate_after(self, env_steps: int, seconds: float | None = None) -> None:
        """Cut the lines of later steps, which a run that is resumed writes again.

        Args:
            env_steps: Where the run goes on: those of the checkpoint.
            seconds: Where its time goes on, such as `Tracker.seconds` of the checkpoint; None goes
                on from the last line that is left.

        Raises:
            TypeError, ValueError: a number of the wrong kind, or a line without `env_steps`.
                Nothing is cut.
        """
        last = whole_number("env_steps", env_steps, least=0)
        if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds must be at least 0 and finite, got {seconds}")
        end, reached = _end_and_seconds(self.path, last)
        self._file.truncate(end)
        self._set_seconds(reached if seconds is None else float(seconds))

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()

    def _seconds(self) -> float:
        return self._seconds_before + (self._clock() - self._opened_at)

    def _set_seconds(self, seconds: float) -> None:
        self._seconds_before, self._opened_at = seconds, self._clock()


def read_json_lines(path: Path | str) -> list[dict[str, Any]]:
    """Read what a `JsonLinesLog` has written, also while it is being written.

    Args:
        path: The file.

    Returns:
        An object per line; null, for a number that is not finite, is None. A torn last line is left
        out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line other than the last is no JSON object.
    """
    return [line for _, line in _lines(Path(path))]


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line as an object, with the number of bytes up to its end."""
    pieces = path.read_bytes().splitlines(keepends=True)
    end = 0
    for i, piece in enumerate(pieces, start=1):
        end += len(piece)
        line = _parsed(piece)
        if line is None:
            if i == len(pieces):
                return
            raise ValueError(f"{path}, line {i}: must be a JSON object, got {piece[:80]!r}")
        yield end, line


def _parsed(piece: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(piece)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _end_and_seconds(path: Path, last: int | None = None) -> tuple[int, float]:
    """Bytes, and seconds, up to the last line that counts: intact, and of no step after `last`."""
    end, seconds = 0, 0.0
    for i, (line_end, line) in enumerate(_lines(path), start=1):
        step, time_of_line = line.get("env_steps"), line.get("seconds")
        if not isinstance(step, int) or not isinstance(time_of_line, int | float):
            raise ValueError(f"{path}, line {i}: must have the numbers env_steps and seconds")
        if last is not None and step > last:
            break
        end, seconds = line_end, float(time_of_line)
    return end, seconds


def _end_the_line(path: Path, file: Any) -> None:
    """A last line that is whole, but for its line break, gets that too."""
    if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        file.write(b"\n")
        file.flush()


def _as_json(tag: str, value: Any) -> float | None:
    """A number as JSON has it: None for what is not finite; ints stay ints."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, float | np.floating):
        raise TypeError(f"values[{tag!r}] must be a number, got {value!r}")
    return float(value) if math.isfinite(value) else None
