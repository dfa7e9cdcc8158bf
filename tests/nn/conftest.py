"""Networks start from random weights: every test here starts from the same ones."""

import pytest
import torch


@pytest.fixture(autouse=True)
def fixed_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
