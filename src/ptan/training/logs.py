"""Where metrics are written: a text file of JSON lines, and TensorBoard."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptan.common.checks import whole_number

__all__ = ["JsonLinesLog", "Log", "TensorBoardLog", "read_json_lines"]


class Log(Protocol):
    """Where a `Tracker` writes. The tracker does not close it."""

    def scalars(self, step: int, values: Mapping[str, float], /) -> None:
        """Take numbers by tag, at a number of environment steps."""

    def image(self, step: int, name: str, pixels: NDArray[np.uint8], /) -> None:
        """Take an image of (H, W, 3) uint8, at a number of environment steps."""

    def close(self) -> None:
        """Write out everything and release the files. A second call does nothing."""


class JsonLinesLog:
    """Writes numbers to a text file, to be read while the run goes on and after it was killed.

    Each call of `scalars` adds one line, `{"env_steps": 200, "seconds": 1.5, "train/fps": 133.0}`,
    and hands it to the operating system at once. NaN and the infinities, which JSON does not know,
    are written as null. `read_json_lines` reads the file.

    Args:
        path: The file; missing folders above it are made.
        truncate_after: Environment steps at which a run is resumed: a file that exists is gone on
            with, without its lines of later steps and without a torn last line, and `seconds` go on
            from its last line. None begins a new file.
        clock: Tells seconds from any point in time.

    Raises:
        FileExistsError: the file exists, and truncate_after is None.
        TypeError, ValueError: truncate_after is no whole number of at least 0, or the file has a
            line that is no JSON object. It is left as it is.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        truncate_after: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.path = Path(path)
        end, seconds = 0, 0.0
        if truncate_after is not None:
            whole_number("truncate_after", truncate_after, least=0)
            if self.path.exists():
                end, seconds = _end_and_seconds(self.path, truncate_after)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("xb" if truncate_after is None else "ab")
        self._file.truncate(end)
        if end and not self.path.read_bytes().endswith(b"\n"):
            self._file.write(b"\n")  # the last line was whole but for this
            self._file.flush()
        self._clock = clock
        self._start = clock() - seconds

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add one line: environment steps so far, seconds, and numbers by tag.

        Raises:
            TypeError, ValueError: step is no whole number of at least 0, or a value is no number.
                Nothing is written.
        """
        env_steps = whole_number("step", step, least=0)
        numbers = {tag: _json_number(tag, value) for tag, value in values.items()}
        seconds = round(self._clock() - self._start, 6)
        line = {"env_steps": env_steps, "seconds": seconds, **numbers}
        self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
        self._file.flush()

    def image(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Do nothing: images do not go into a text file."""

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()


def read_json_lines(path: Path | str) -> list[dict[str, Any]]:
    """Read what a `JsonLinesLog` has written, also while it is being written.

    Returns:
        A dict per line; null, for a number that is not finite, is None. A torn last line is left
        out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line other than the last is no JSON object.
    """
    return [line for _, line in _lines(Path(path))]


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line as a dict, with the number of bytes up to its end."""
    pieces = path.read_bytes().splitlines(keepends=True)
    end = 0
    for i, piece in enumerate(pieces, start=1):
        end += len(piece)
        try:
            line = json.loads(piece)
        except ValueError:
            line = None
        if isinstance(line, dict):
            yield end, line
        elif i < len(pieces):
            raise ValueError(f"{path}, line {i}: must be a JSON object, got {piece[:80]!r}")


def _end_and_seconds(path: Path, last: int) -> tuple[int, float]:
    """Bytes, and seconds, up to the last line that counts: intact, and of no step after `last`."""
    end, seconds = 0, 0.0
    for i, (line_end, line) in enumerate(_lines(path), start=1):
        step, time_of_line = line.get("env_steps"), line.get("seconds")
        if not isinstance(step, int) or not isinstance(time_of_line, int | float):
            raise ValueError(f"{path}, line {i}: must have the numbers env_steps and seconds")
        if step > last:
            break
        end, seconds = line_end, float(time_of_line)
    return end, seconds


def _json_number(tag: str, value: object) -> float | None:
    """A number as JSON has it: None for what is not finite; ints stay ints."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, float | np.floating):
        raise TypeError(f"values[{tag!r}] must be a number, got {value!r}")
    return float(value) if math.isfinite(value) else None


class TensorBoardLog:
    """Writes numbers and images for TensorBoard, to be seen by `tensorboard --logdir FOLDER`.

    Args:
        folder: For the event files of one run; made if it is missing.
        truncate_after: Environment steps at which a run is resumed. TensorBoard then hides what
            earlier files in the folder have of later steps. None hides nothing.

    Raises:
        ImportError: TensorBoard is not installed.
        TypeError, ValueError: truncate_after is no whole number of at least 0.
    """

    def __init__(self, folder: Path | str, *, truncate_after: int | None = None) -> None:
        if truncate_after is not None:
            truncate_after = 1 + whole_number("truncate_after", truncate_after, least=0)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                'TensorBoardLog needs TensorBoard: pip install "ptan[tensorboard]"'
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=truncate_after, flush_secs=10)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Draw a point in the curve of each tag, at a number of environment steps."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def image(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Show an image of (H, W, 3) uint8 under a tag such as `distributions/state_0`."""
        self._writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write out everything and close the files. A second call does nothing."""
        self._writer.close()
