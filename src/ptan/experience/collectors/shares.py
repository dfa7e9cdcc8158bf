"""Fixed shares of episodes, for whole episodes to learn from and for evaluation."""

import numpy as np

from ptan.experience.layout import Array
from ptan.experience.stepper import Stepper


class FixedShares:
    """Lets every environment play its own share of episodes, fixed beforehand; then it waits.

    Taking whichever episodes end first would favour short ones, which are bad ones in some games
    and good ones in others. As many environments as episodes are fastest.

    Args:
        stepper: The environments.
        episodes: How many in all; where they do not divide evenly, the first environments play one
            more.

    Attributes:
        left: (N,) episodes that each environment has still to play.
    """

    def __init__(self, stepper: Stepper, episodes: int) -> None:
        count = stepper.count
        self._stepper = stepper
        self._shares = episodes // count + (np.arange(count) < episodes % count)
        self.left = np.zeros(count, np.int64)

    def begin(self) -> None:
        """Begin the first episode of every environment that plays any."""
        stepper = self._stepper
        if stepper.needs_reset:
            stepper.begin()
        else:
            stepper.play_all()
        self.left = self._shares.copy()
        for env in np.flatnonzero(self.left == 0).tolist():
            stepper.wait(env)

    def settle(self) -> Array:
        """Take account of the newest step: the environments whose episode it ended."""
        ended = np.flatnonzero(self._stepper.over)
        for env in ended.tolist():
            self.left[env] -= 1
            if self.left[env] == 0:
                self._stepper.wait(env)
        return ended
