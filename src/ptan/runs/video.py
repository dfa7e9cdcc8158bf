"""Pictures of an environment as a video file."""

from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np

from ptan.runs.environments import is_atari
from ptan.runs.errors import RunError
from ptan.runs.settings import RunSettings

__all__ = ["VideoFile", "frames_per_second"]


class VideoFile:
    """A video that is written picture by picture, with OpenCV.

    Args:
        path: Of a kind in `KINDS`; the folder must be there.
        fps: Pictures per second.
    """

    KINDS = MappingProxyType({".mp4": "mp4v", ".webm": "VP80", ".avi": "MJPG"})
    """How each kind of file is encoded."""

    def __init__(self, path: Path, fps: float) -> None:
        self.check(path)
        self.n_pictures = 0
        self._path = path
        self._fps = fps
        self._writer: Any = None

    @classmethod
    def check(cls, path: Path | None) -> None:
        """Raise RunError, before anything is played, unless a video can be written there.

        Args:
            path: The file; None is no video, and fine.
        """
        if path is None:
            return
        if path.suffix.lower() not in cls.KINDS:
            raise RunError(f"video must end in {', '.join(cls.KINDS)}, got {path}")
        if not path.resolve().parent.is_dir():
            raise RunError(f"video cannot be written to {path}: there is no such folder")
        try:
            import cv2  # noqa: F401
        except ImportError:
            raise RunError('a video needs OpenCV: pip install "ptan[atari]"') from None

    def add(self, picture: Any) -> None:
        """Add a picture.

        Args:
            picture: (H, W, 3) uint8, red first; all of one size.

        Raises:
            RunError: it is no picture, or the file cannot be written.
        """
        import cv2

        pixels = np.asarray(picture)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise RunError("the environment draws no pictures: it has no render mode rgb_array")
        # Most encoders take even sizes only.
        height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
        if self._writer is None:
            code = cv2.VideoWriter.fourcc(*self.KINDS[self._path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self._path), code, self._fps, (width, height))
            if not self._writer.isOpened():
                raise RunError(f"video cannot be written to {self._path}")
        self._writer.write(np.ascontiguousarray(pixels[:height, :width, ::-1]))
        self.n_pictures += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.release()


def frames_per_second(env: Any, settings: RunSettings) -> float:
    """How fast an environment runs in its own time, in steps of the agent."""
    own = float(env.metadata.get("render_fps") or 30)
    return own / settings.frame_skip if is_atari(settings.env_id) else own
