"""Where metrics are written: a text file of JSON lines, and TensorBoard."""

import json
import math
import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptan.common.checks import number, whole_number

__all__ = ["JsonLinesLog", "Log", "TensorBoardLog", "read_json_lines"]


class Log(Protocol):
    """Where a `Tracker` writes. The tracker does not close it."""

    def scalars(self, step: int, values: Mapping[str, float], /) -> None:
        """Take numbers by tag, at a number of environment steps."""

    def image(self, step: int, name: str, pixels: NDArray[np.uint8], /) -> None:
        """Take an image of (H, W, 3) uint8, at a number of environment steps."""

    def close(self) -> None:
        """Write out everything and release the files. A second call does nothing."""


class JsonLinesLog(Log):
    """Writes numbers to a text file, to be read while the run goes on and after it was killed.

    Each call of `scalars` adds one line, `{"env_steps": 200, "seconds": 1.5, "train/fps": 133.0}`,
    and hands it to the operating system at once. NaN and the infinities, which JSON does not know,
    are written as null. Images are left out.

    A run that is resumed at `truncate_after` environment steps goes on with the file, without its
    lines of later steps and a last one that was cut off; None begins a new file.

    Raises:
        FileExistsError: the file exists, and truncate_after is None.
        ValueError: the file has a line of something else. It is left as it is.
    """

    def __init__(self, path: Path | str, *, truncate_after: int | None = None) -> None:
        self.path = Path(path)
        end, seconds = 0, 0.0
        if truncate_after is not None:
            whole_number("truncate_after", truncate_after, least=0)
            for line_end, line in _lines(self.path) if self.path.exists() else ():
                if line["env_steps"] > truncate_after:
                    break
                end, seconds = line_end, line["seconds"]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("xb" if truncate_after is None else "ab")
        self._file.truncate(end)
        self._start = perf_counter() - seconds

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        numbers = {tag: float(x) if math.isfinite(x) else None for tag, x in values.items()}
        seconds = round(perf_counter() - self._start, 6)
        line = json.dumps({"env_steps": int(step), "seconds": seconds, **numbers})
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def image(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None: ...

    def close(self) -> None:
        self._file.close()


def read_json_lines(path: Path | str) -> list[dict[str, Any]]:
    """Read what a `JsonLinesLog` has written, also while it is being written.

    Numbers that are not finite are None; a last line that was cut off is left out. A line of
    something else raises ValueError.
    """
    return [line for _, line in _lines(Path(path))]


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line as a dict, with the number of bytes up to its end."""
    end = 0
    for i, text in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not text.endswith(b"\n"):  # cut off by a kill
            return
        end += len(text)
        try:
            line = json.loads(text)
            if not isinstance(line, dict) or not {"env_steps", "seconds"} <= line.keys():
                raise ValueError(f"must have env_steps and seconds, is {reprlib.repr(line)}")
            whole_number("env_steps", line["env_steps"], least=0)
            number("seconds", line["seconds"])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {i}: {error}") from None
        yield end, line


class TensorBoardLog(Log):
    """Writes numbers and images for TensorBoard, to be seen by `tensorboard --logdir FOLDER`.

    A run that is resumed at `truncate_after` environment steps hides what earlier files in the
    folder have of later steps. Raises ImportError where TensorBoard is not installed.
    """

    def __init__(self, folder: Path | str, *, truncate_after: int | None = None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                'TensorBoardLog needs TensorBoard: pip install "ptan[tensorboard]"'
            ) from error
        hidden_from = None if truncate_after is None else truncate_after + 1
        self._writer = SummaryWriter(str(folder), purge_step=hidden_from, flush_secs=10)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def image(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        self._writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()
