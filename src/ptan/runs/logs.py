"""Logs of runs that need an extra."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptan.common.checks import whole_number

__all__ = ["TensorBoardLog"]

_FLUSH_SECONDS = 10


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
        purge_step = None
        if truncate_after is not None:
            purge_step = 1 + whole_number("truncate_after", truncate_after, least=0)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                'TensorBoardLog needs TensorBoard: pip install "ptan[tensorboard]"'
            ) from error
        self.folder = Path(folder)
        self._writer = SummaryWriter(
            str(self.folder), purge_step=purge_step, flush_secs=_FLUSH_SECONDS
        )
        self._closed = False

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Draw a point in the curve of each tag.

        Args:
            step: Environment steps so far.
            values: Numbers by tag, such as `train/avg_loss`.

        Raises:
            ValueError: the log is closed.
        """
        self._check_open()
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def image(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """Show an image.

        Args:
            step: Environment steps so far.
            name: Its tag, such as `distributions/state_0`.
            pixels: (H, W, 3) uint8.

        Raises:
            ValueError: pixels of another shape or dtype, or the log is closed.
        """
        self._check_open()
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ValueError(
                f"pixels must be (H, W, 3) uint8, got {pixels.shape} of {pixels.dtype}"
            )
        self._writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write out everything and close the files. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._writer.close()

    def _check_open(self) -> None:
        # PyTorch's writer would begin another file.
        if self._closed:
            raise ValueError(f"the TensorBoard log in {self.folder} is closed")
