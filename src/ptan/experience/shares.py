"""Fixed shares of episodes, for whole episodes to learn from and for evaluation.

Every environment plays its own share, fixed beforehand; then it waits. Taking whichever episodes
end first would favour short ones, which are bad ones in some games and good ones in others. As many
environments as episodes are fastest.
"""

import numpy as np

from ptan.experience.layout import Array
from ptan.experience.stepper import Stepper


def begin_shares(stepper: Stepper, episodes: int) -> Array:
    """Begin the first episode of every environment that plays any of them.

    Where they do not divide evenly, the first environments play one more.

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
