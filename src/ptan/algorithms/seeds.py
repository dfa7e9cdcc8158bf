"""Torch's side of a run's randomness, from NumPy's seed sequences, spawned for one use each."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["seeded_layers", "torch_generator"]


def torch_generator(seed: np.random.SeedSequence, device: torch.device) -> torch.Generator:
    """A seeded generator that draws on a device."""
    return torch.Generator(device).manual_seed(_as_int(seed))


@contextmanager
def seeded_layers(seed: np.random.SeedSequence) -> Iterator[None]:
    """Let layers made inside draw their first weights from a seed.

    Layers draw from PyTorch's global generator of the CPU, and nothing else can be given to them;
    it is put back afterwards. Generators of other devices are not touched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(_as_int(seed))
        yield


def _as_int(seed: np.random.SeedSequence) -> int:
    """A number that torch takes: below 2^63."""
    return int(seed.generate_state(1, np.uint64)[0] >> 1)
