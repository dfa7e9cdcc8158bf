"""Pictures of an environment as a video file, written with OpenCV."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ptan.runs.errors import RunError

__all__ = ["video_file"]

CODECS = {".mp4": "mp4v", ".webm": "VP80", ".avi": "MJPG"}


@contextmanager
def video_file(path: Path, fps: float) -> Iterator[Callable[[object], None]]:
    """A function that adds a picture to a video, (H, W, 3) uint8 and all of one size.

    Raises:
        RunError: the file cannot be written; what is added is no picture.
    """
    if path.suffix.lower() not in CODECS:
        raise RunError(f"video must end in {', '.join(CODECS)}, got {path}")
    if not path.resolve().parent.is_dir():
        raise RunError(f"video cannot be written to {path}: there is no such folder")
    try:
        import cv2
    except ImportError:
        raise RunError('a video needs OpenCV: pip install "ptan[atari]"') from None

    writer: Any = None

    def add(picture: object) -> None:
        nonlocal writer
        pixels = np.asarray(picture)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise RunError("the environment draws no pictures: it has no render mode rgb_array")
        # Most encoders take even sizes only.
        height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
        if writer is None:
            code = cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()])
            writer = cv2.VideoWriter(str(path), code, fps, (width, height))
            if not writer.isOpened():
                raise RunError(f"video cannot be written to {path}")
        writer.write(np.ascontiguousarray(pixels[:height, :width, ::-1]))

    try:
        yield add
    finally:
        if writer is not None:
            writer.release()
