"""Noise and bounds against their equations and known distributions."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ptan.actions import (
    ActionBounds,
    GaussianNoise,
    OrnsteinUhlenbeckProcess,
)
from refusals import NAN, assert_tells, table


def test_bounds_clip_and_stretch_by_hand():
    bounds = ActionBounds([-1.0, 0.0], [1.0, 10.0])
    clipped = bounds.clip(np.array([[-3.0, 11.0], [0.5, -0.5]], np.float32))
    assert clipped.tolist() == [[-1.0, 10.0], [0.5, 0.0]]
    assert clipped.dtype == np.float32
    stretched = bounds.from_unit(np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]], np.float32))
    assert stretched.tolist() == [[-1.0, 0.0], [1.0, 10.0], [0.0, 5.0]]
    assert stretched.dtype == np.float32


@given(
    hnp.arrays(np.float32, (3,), elements=st.floats(-1e3, 1e3, width=32)),
    hnp.arrays(np.float32, (3,), elements=st.floats(0.0625, 1e3, width=32)),
    hnp.arrays(np.float32, (5, 3), elements=st.floats(-1, 1, width=32)),
)
def test_stretched_actions_lie_inside_float32_bounds(low, span, unit):
    high = low + span
    actions = ActionBounds(low, high).from_unit(unit)
    assert actions.dtype == np.float32
    assert (actions >= low).all()
    assert (actions <= high).all()
    exact = low.astype(float) + (unit.astype(float) + 1) / 2 * (high.astype(float) - low)
    assert np.allclose(actions, exact, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 0), (np.nan, 1), ([0, 0], [1, 0])])
def test_empty_bounds_raise(low, high):
    with pytest.raises(ValueError, match="low must be below high"):
        ActionBounds(low, high)


def test_infinite_bounds_clip_but_do_not_stretch():
    bounds = ActionBounds(-np.inf, np.inf)
    assert bounds.clip(np.array([[1e9]])).tolist() == [[1e9]]
    with pytest.raises(ValueError, match="finite"):
        bounds.from_unit(np.zeros((1, 1)))


def test_nan_actions_and_bounds_of_another_shape_raise():
    with pytest.raises(ValueError, match=r"NaN.* in row 1"):
        ActionBounds().clip(np.array([[0.0], [np.nan]]))
    with pytest.raises(ValueError, match="do not fit"):
        ActionBounds([-1, -1], [1, 1]).clip(np.zeros((4, 1)))


def test_gaussian_noise_has_its_mean_spread_and_bounds():
    actions = np.tile(np.array([0.25, -0.5], np.float32), (20_000, 1))
    noise = GaussianNoise([0.1, 0.5], rng=0)
    noisy = noise(actions)
    assert noisy.dtype == np.float32
    assert noisy.mean(axis=0) == pytest.approx([0.25, -0.5], abs=0.02)
    assert noisy.std(axis=0) == pytest.approx([0.1, 0.5], rel=0.03)
    assert abs(np.corrcoef(noisy.T)[0, 1]) < 0.03
    clipped = GaussianNoise(1.0, -0.3, 0.3, rng=0)(actions)
    assert clipped.min() == np.float32(-0.3)
    assert clipped.max() == np.float32(0.3)
    assert (actions == np.float32([0.25, -0.5])).all()


def test_gaussian_sigma_is_settable_and_checked():
    noise = GaussianNoise(0.5, rng=0)
    noise.sigma = 0.0
    assert noise(np.array([[0.5]])).tolist() == [[0.5]]
    for sigma in (-1.0, np.nan, np.inf, [0.1, -0.1]):
        with pytest.raises(ValueError, match="sigma"):
            noise.sigma = sigma
    assert noise.sigma == 0.0


def test_the_ou_process_follows_its_equation():
    process = OrnsteinUhlenbeckProcess(theta=0.5, sigma=0.3, dt=0.25, mu=[1.0, -1.0], rng=9)
    normal = np.random.default_rng(9).standard_normal((3, 2))
    states = [np.array([2.0, 0.0]), None, np.array([1.0, -1.0])]
    result = process.step(states, (3, 2))
    mu = [1.0, -1.0]
    for row in range(3):
        for part in range(2):
            x = mu[part] if states[row] is None else states[row][part]
            expected = x + 0.5 * (mu[part] - x) * 0.25 + 0.3 * 0.25**0.5 * normal[row, part]
            assert result[row, part] == pytest.approx(expected, rel=1e-12)
    assert states[0].tolist() == [2.0, 0.0]


def test_the_ou_process_settles_at_its_known_variance():
    process = OrnsteinUhlenbeckProcess(rng=0)
    x = process.step(None, (4000, 1))
    for _ in range(60):
        x = process.step(list(x), (4000, 1))
    # x' = 0.85·x + 0.2·ε has variance 0.2² / (1 − 0.85²).
    assert x.var() == pytest.approx(0.04 / (1 - 0.85**2), rel=0.1)
    assert abs(x.mean()) < 0.03


def test_ou_without_noise_returns_to_mu_and_holds_no_position():
    process = OrnsteinUhlenbeckProcess(theta=0.5, sigma=0.0, mu=2.0)
    assert process.step([np.array([4.0])], (1, 1)).tolist() == [[3.0]]
    assert process.step([None], (1, 1)).tolist() == [[2.0]]
    assert process.step(None, (2, 1)).tolist() == [[2.0], [2.0]]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"theta": -0.1}, "theta"),
        ({"theta": 2.0}, "theta"),
        ({"dt": 0.0}, "dt"),
        ({"dt": np.nan}, "dt"),
        ({"sigma": -1.0}, "sigma"),
        ({"mu": np.nan}, "mu"),
    ],
)
def test_an_impossible_ou_process_raises(settings, name):
    with pytest.raises(ValueError, match=name):
        OrnsteinUhlenbeckProcess(**settings)


def test_ou_states_that_do_not_fit_raise():
    process = OrnsteinUhlenbeckProcess()
    with pytest.raises(ValueError, match="3 noise states for 2"):
        process.step([None] * 3, (2, 1))
    with pytest.raises(ValueError, match=r"noise state 1 must be .* got \(1,\)"):
        process.step([None, np.zeros(1)], (2, 4))


def test_noise_repeats_with_its_seed_and_pickles_with_its_generator():
    actions = np.zeros((50, 3))
    first, twin = GaussianNoise(0.5, -1, 1, rng=4), GaussianNoise(0.5, -1, 1, rng=np.int64(4))
    assert np.array_equal(first(actions), twin(actions))
    assert np.array_equal(pickle.loads(pickle.dumps(first))(actions), twin(actions))
    assert not np.array_equal(GaussianNoise(0.5)(actions), GaussianNoise(0.5)(actions))


@table(
    ("sigma-text", lambda: GaussianNoise("a"), TypeError, "sigma", "'a'", "a number"),
    ("action-nan", lambda: GaussianNoise(1)(np.array([[0.0], [NAN]])), ValueError, "actions",
     r"\[nan\] in row 1", "must not be NaN"),
)  # fmt: skip
def test_noise_refuses(case):
    assert_tells(case)
