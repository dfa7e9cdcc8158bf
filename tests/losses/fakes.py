"""Tables for networks, and batches made of numbered states."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ptan.experience import Batch, ExperienceFirstLast

GAMMA = 0.9


class Table(nn.Module):
    """States are numbers; what the network says of each is a row of a parameter."""

    def __init__(self, entries: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.entries = nn.Parameter(torch.as_tensor(np.asarray(entries), dtype=dtype).clone())

    def forward(self, states: Tensor) -> Tensor:
        return self.entries[states]


class CategoricalTable(Table):
    """Logits (states, actions, atoms) and their supports."""

    def __init__(self, entries: Any, supports: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(entries, dtype)
        self.supports: Tensor
        self.register_buffer("supports", torch.as_tensor(np.asarray(supports), dtype=dtype))

    def qvals(self, states: Tensor) -> Tensor:
        return (self(states).softmax(-1) * self.supports).sum(-1)


def row(
    state: Any,
    action: Any,
    reward: Any,
    last_state: Any,
    *,
    steps: int = 1,
    truncated: bool = False,
) -> ExperienceFirstLast:
    """A row as a source makes it: `last_state` None is an end, and `truncated` names the state."""
    over = last_state is None
    return ExperienceFirstLast(
        state,
        action,
        reward,
        None if truncated else last_state,
        terminated=over,
        truncated=truncated,
        steps=steps,
        discount=0.0 if over else GAMMA**steps,
        final_state=state if over else last_state,
    )


def tensors(rows: Sequence[Any], weights: Sequence[float] | None = None) -> Batch:
    batch = Batch.from_rows(rows).to("cpu")
    if weights is not None:
        batch.weights = torch.tensor(weights, dtype=torch.float32)
    return batch


def random_rows(rng: np.random.Generator, n_rows: int, n_states: int, n_actions: int) -> list[Any]:
    """Ordinary, n-step, terminal and truncated rows."""
    rows = []
    for _ in range(n_rows):
        state, after = (int(i) for i in rng.integers(n_states, size=2))
        kind = rng.integers(3)
        last_state = None if kind == 0 else after
        steps, reward = int(rng.integers(1, 5)), float(np.float32(rng.normal()))
        action = int(rng.integers(n_actions))
        rows.append(row(state, action, reward, last_state, steps=steps, truncated=bool(kind == 1)))
    return rows
