"""Which threads a run gets."""

from types import SimpleNamespace

import pytest
import torch

from ptan.runs import RunSettings
from ptan.runs.means import chosen_threads
from ptan.runs.state import RunState


def learner(parameters: int) -> SimpleNamespace:
    weight = torch.zeros(parameters)
    return SimpleNamespace(optimizers={"q": SimpleNamespace(parameters=lambda: [weight])})


@pytest.mark.parametrize(
    ("settings", "parameters", "said"),
    [
        ({}, 10, "threads: 1"),  # small networks gain nothing
        ({}, 400_000, "threads: 1, to be adapted"),
        ({"exact": True}, 400_000, "threads: 1"),
        ({"threads": 2}, 400_000, "threads: 2"),
        ({"threads": 2, "exact": True}, 10, "threads: 2"),
    ],
)
def test_threads_are_fixed_or_adapted(settings: dict, parameters: int, said: str) -> None:
    before, lines, state = torch.get_num_threads(), [], RunState()
    with chosen_threads(
        RunSettings(**settings), state, learner(parameters), lines.append
    ) as tuners:
        assert lines == [said]
        assert len(tuners) == ("adapted" in said)
        assert state.threads == torch.get_num_threads()
    assert torch.get_num_threads() == before
