"""Generalized advantages against the sum that defines them, and at episode ends."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptan.losses import Advantages, generalized_advantages

from . import oracles


def estimate(rewards, values, next_values, terminated, truncated, gamma, lam):
    discounts = gamma * (1.0 - np.array(terminated, float))
    columns = (rewards, values, next_values, discounts)
    numbers = (torch.tensor(np.array(x, float)) for x in columns)
    return generalized_advantages(*numbers, torch.tensor(np.array(truncated, bool)), lam)


def test_a_truncation_bootstraps_but_hands_nothing_back_from_the_next_episode() -> None:
    no, ends = [False] * 3, [False, True, False]
    rewards, values, next_values = [1, 2, 3], [4, 5, 6], [5, 100, 7]
    truncated = estimate(rewards, values, next_values, no, ends, 0.5, 1.0)
    assert isinstance(truncated, Advantages)
    assert truncated.advantages.tolist() == [-0.5 + 0.5 * 47, 2 + 50 - 5, 0.5]
    terminated = estimate(rewards, values, next_values, ends, no, 0.5, 1.0)
    assert terminated.advantages.tolist() == [-0.5 + 0.5 * -3, 2 - 5, 0.5]


def test_the_value_after_a_termination_is_not_looked_at() -> None:
    result = estimate([1, 2], [0, 0], [0, np.nan], [False, True], [False, False], 0.5, 1.0)
    assert result.advantages.tolist() == [2.0, 2.0]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    st.sampled_from([0.0, 0.95, 1.0]),
)
def test_equals_the_sum_that_defines_it(n_steps, n_envs, seed, gamma, lam) -> None:
    rng = np.random.default_rng(seed)
    rewards, values, next_values = rng.normal(size=(3, n_steps, n_envs))
    terminated, truncated = rng.random(size=(2, n_steps, n_envs)) < 0.15
    arguments = (rewards, values, next_values, terminated, truncated)
    result = estimate(*arguments, gamma, lam)
    for i in range(n_envs):
        expected = oracles.advantages(*(column[:, i] for column in arguments), gamma, lam)
        assert result.advantages[:, i].numpy() == pytest.approx(expected, abs=1e-12)
        assert result.returns[:, i].numpy() == pytest.approx(expected + values[:, i], abs=1e-12)
        alone = estimate(*(column[:, i] for column in arguments), gamma, lam)
        assert torch.equal(alone.advantages, result.advantages[:, i])


def test_a_long_stretch_in_float32_is_as_good_as_the_loop() -> None:
    rng = np.random.default_rng(0)
    rewards, values, next_values = rng.normal(size=(3, 3000)).astype(np.float32)
    ends = rng.random(size=(2, 3000)) < 0.001
    discounts = np.float32(0.99) * ~ends[0]
    numbers = [torch.from_numpy(x) for x in (rewards, values, next_values, discounts, ends[1])]
    result = generalized_advantages(*numbers, 0.95)
    assert result.advantages.dtype == torch.float32
    expected, later = np.zeros(3000), 0.0
    for t in reversed(range(3000)):
        error = rewards[t] + 0.99 * next_values[t] * (not ends[0][t]) - values[t]
        expected[t] = later = error + 0.99 * 0.95 * (not ends[:, t].any()) * later
    assert result.advantages.numpy() == pytest.approx(expected, abs=1e-4)


def test_arguments_stay_as_they_are_and_no_gradient_flows() -> None:
    columns = [torch.rand(6, 2).requires_grad_() for _ in range(4)]
    columns.append(torch.zeros(6, 2, dtype=torch.bool))
    before = [x.detach().clone() for x in columns]
    result = generalized_advantages(*columns, 0.9)
    assert not result.advantages.requires_grad
    assert not result.returns.requires_grad
    assert all(torch.equal(old, new) for old, new in zip(before, columns, strict=True))


def test_a_lambda_outside_its_range_and_single_numbers_raise() -> None:
    with pytest.raises(ValueError, match=r"lam must be in \[0, 1\], got -0.1"):
        estimate(*[[0]] * 5, 1.0, -0.1)
    with pytest.raises(ValueError, match="time axis"):
        estimate(*[0] * 5, 1.0, 0.5)
