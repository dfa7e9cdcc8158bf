"""Shares of episodes, fixed beforehand: the first to end would favour short ones."""

import numpy as np

from ptan.common.types import Array
from ptan.experience.stepper import Stepper


def begin_shares(stepper: Stepper, episodes: int) -> Array:
    """Begin the first episode of every environment that plays any of them; others wait.

    Where they do not divide evenly, the first environments play one more. As many environments as
    episodes are fastest.

    Returns:
        (N,) episodes that each environment has still to play.
    """
    if stepper.needs_reset:
        stepper.begin()
    else:
        stepper.play_all()
    left = episodes // stepper.count + (np.arange(stepper.count) < episodes % stepper.count)
    for env in np.flatnonzero(left == 0).tolist():
        stepper.wait(env)
    return left


def count_ended(stepper: Stepper, left: Array) -> list[int]:
    """Take the episodes that the newest step ended off what is left, and say whose they were."""
    ended: list[int] = np.flatnonzero(stepper.over).tolist()
    for env in ended:
        left[env] -= 1
        if left[env] == 0:
            stepper.wait(env)
    return ended
