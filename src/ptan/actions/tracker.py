"""The schedule of a selector's exploration."""

from typing import Protocol

from ptan.common.checks import number, unit_interval


class _HasEpsilon(Protocol):
    epsilon: float


class EpsilonTracker:
    """Lowers (or raises) a selector's epsilon on a straight line over the first steps of a run.

    Args:
        selector: Anything with a settable `epsilon`, such as `EpsilonGreedyActionSelector`.
        eps_start: epsilon at frame 0, in [0, 1].
        eps_final: epsilon from frame `eps_frames` on, in [0, 1].
        eps_frames: Length of the line, a whole number of at least 1, in the unit in which `frame`
            is called (usually environment steps).
    """

    def __init__(
        self, selector: _HasEpsilon, eps_start: float, eps_final: float, eps_frames: int
    ) -> None:
        if not hasattr(selector, "epsilon"):
            raise TypeError(f"selector must have a settable epsilon, got {selector!r}")
        self.selector = selector
        self.eps_start = unit_interval("eps_start", eps_start)
        self.eps_final = unit_interval("eps_final", eps_final)
        frames = number("eps_frames", eps_frames)
        if not (frames >= 1 and frames.is_integer()):
            raise ValueError(f"eps_frames must be a whole number of at least 1, got {eps_frames}")
        self.eps_frames = int(frames)
        self.frame(0)

    def frame(self, frame: int) -> None:
        """Set the selector's epsilon for a frame of at least 0; they need not come in order."""
        if not number("frame", frame) >= 0:
            raise ValueError(f"frame must be at least 0, got {frame}")
        if frame >= self.eps_frames:
            self.selector.epsilon = self.eps_final
            return
        start, final = self.eps_start, self.eps_final
        epsilon = start + (final - start) * (frame / self.eps_frames)
        # Rounding must not carry the line past its own ends.
        self.selector.epsilon = min(max(epsilon, min(start, final)), max(start, final))
