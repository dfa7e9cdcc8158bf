"""Seeds of a run's parts, all derived from its one seed and none like another's."""

import numpy as np

__all__ = ["EVALUATED", "EVALUATION", "FINAL", "NEW_EPISODES", "TRACKING", "derived_seed"]

# Far above the few children that an algorithm spawns of the same seed.
EVALUATION, FINAL, NEW_EPISODES, TRACKING, EVALUATED = range(1_000, 1_005)


def derived_seed(seed: int, purpose: int, number: int = 0) -> int:
    """The run's seed for one of the purposes above: apart from those of training and the others.

    It leaves room below 2^31, the most that Atari games take, for one per environment.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose, number))
    return int(sequence.generate_state(1)[0]) % (2**31 - 2**16)
