"""Noise and bounds against their equations and known distributions."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ptan.actions import ActionBounds, GaussianNoise, OrnsteinUhlenbeckProcess
from refusals import INF, NAN, assert_tells, table


@given(
    hnp.arrays(np.float32, (3,), elements=st.floats(-1e3, 1e3, width=32)),
    hnp.arrays(np.float32, (3,), elements=st.floats(0.0625, 1e3, width=32)),
    hnp.arrays(np.float32, (5, 3), elements=st.floats(-1, 1, width=32)),
)
def test_actions_are_stretched_inside_float32_bounds_and_clipped(low, span, unit):
    high = low + span
    bounds = ActionBounds(low, high)
    actions = bounds.from_unit(unit)
    assert actions.dtype == np.float32
    assert (actions >= low).all()
    assert (actions <= high).all()
    exact = low.astype(float) + (unit.astype(float) + 1) / 2 * (high.astype(float) - low)
    assert np.allclose(actions, exact, rtol=1e-6, atol=1e-3)
    clipped = bounds.clip(1000 * unit)
    assert clipped.dtype == np.float32
    expected = [[min(max(x, a), b) for x, a, b in zip(r, low, high, strict=True)]
                for r in 1000 * unit]  # fmt: skip
    assert clipped.tolist() == np.array(expected).tolist()


def test_infinite_bounds_clip_but_do_not_stretch():
    bounds = ActionBounds(-np.inf, np.inf)
    assert bounds.clip(np.array([[1e9]])).tolist() == [[1e9]]
    with pytest.raises(ValueError, match="finite"):
        bounds.from_unit(np.zeros((1, 1)))


def test_gaussian_noise_has_its_mean_spread_and_bounds():
    actions = np.tile(np.array([0.25, -0.5], np.float32), (20_000, 1))
    noise = GaussianNoise([0.1, 0.5], rng=0)
    noisy = noise(actions)
    assert noisy.dtype == np.float32
    assert noisy.mean(axis=0) == pytest.approx([0.25, -0.5], abs=0.02)
    assert noisy.std(axis=0) == pytest.approx([0.1, 0.5], rel=0.03)
    assert abs(np.corrcoef(noisy.T)[0, 1]) < 0.03
    clipped = GaussianNoise(1.0, -0.3, 0.3, rng=0)(actions)
    assert (clipped.min(), clipped.max()) == (np.float32(-0.3), np.float32(0.3))
    assert (actions == np.float32([0.25, -0.5])).all()
    noise.sigma = 0.0
    assert noise(actions[:1]).tolist() == [[0.25, -0.5]]


@pytest.mark.parametrize("sigma", [0.3, 0.0])
def test_the_ou_process_follows_its_equation_and_holds_no_position(sigma):
    process = OrnsteinUhlenbeckProcess(theta=0.5, sigma=sigma, dt=0.25, mu=[1.0, -1.0], rng=9)
    normal = np.random.default_rng(9).standard_normal((2, 3, 2))
    mu, states = [1.0, -1.0], [np.array([2.0, 0.0]), None, np.array([1.0, -1.0])]
    for given_states, noise in zip((states, None), normal, strict=True):
        result = process.step(given_states, (3, 2))
        for row in range(3):
            for part in range(2):
                known = given_states is not None and given_states[row] is not None
                x = given_states[row][part] if known else mu[part]
                expected = x + 0.5 * (mu[part] - x) * 0.25 + sigma * 0.25**0.5 * noise[row, part]
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


def test_noise_repeats_with_its_seed_and_pickles_with_its_generator():
    actions = np.zeros((50, 3))
    first, twin = GaussianNoise(0.5, -1, 1, rng=4), GaussianNoise(0.5, -1, 1, rng=np.int64(4))
    assert np.array_equal(first(actions), twin(actions))
    assert np.array_equal(pickle.loads(pickle.dumps(first))(actions), twin(actions))
    assert not np.array_equal(GaussianNoise(0.5)(actions), GaussianNoise(0.5)(actions))


def bounds(low, high):
    return lambda: ActionBounds(low, high)


def ou(**settings):
    return lambda: OrnsteinUhlenbeckProcess(**settings)


def ou_step(states, shape):
    return lambda: OrnsteinUhlenbeckProcess().step(states, shape)


@table(
    ("bounds-equal", bounds(1, 1), ValueError, "low", "high=1", "below high"),
    ("bounds-nan", bounds(NAN, 1), ValueError, "low", "low=nan", "below high"),
    ("bounds-a-part", bounds([0, 0], [1, 0]), ValueError, "low", r"\[1, 0\]", "below high"),
    ("clip-nan", lambda: ActionBounds().clip(np.array([[0.0], [NAN]])), ValueError, "actions",
     r"\[nan\] in row 1", "must not be NaN"),
    ("clip-shape", lambda: ActionBounds([-1, -1], [1, 1]).clip(np.zeros((4, 1))), ValueError,
     "bounds of shape", r"\(4, 1\)", "fit"),
    ("sigma-text", lambda: GaussianNoise("a"), TypeError, "sigma", "'a'", "a number"),
    ("sigma-negative", lambda: GaussianNoise(-1.0), ValueError, "sigma", "-1.0", "at least 0"),
    ("sigma-set", lambda: setattr(GaussianNoise(1), "sigma", [0.1, -INF]), ValueError, "sigma",
     "-inf", "finite"),
    ("noise-nan", lambda: GaussianNoise(1)(np.array([[0.0], [NAN]])), ValueError, "actions",
     r"\[nan\] in row 1", "must not be NaN"),
    ("ou-theta-negative", ou(theta=-0.1), ValueError, "theta", "-0.1", r"\[0, 2\)"),
    ("ou-theta-2", ou(theta=2.0), ValueError, "theta", "2.0", r"\[0, 2\)"),
    ("ou-dt-0", ou(dt=0.0), ValueError, "dt", "0.0", "above 0"),
    ("ou-sigma", ou(sigma=-1.0), ValueError, "sigma", "-1.0", "at least 0"),
    ("ou-mu", ou(mu=NAN), ValueError, "mu", "nan", "finite"),
    ("ou-states", ou_step([None] * 3, (2, 1)), ValueError, "agent states", "3 noise states for 2",
     "one per environment"),
    ("ou-state-shape", ou_step([None, np.zeros(1)], (2, 4)), ValueError, "noise state 1",
     r"got \(1,\)", r"shape \(4,\)"),
)  # fmt: skip
def test_bounds_and_noise_refuse(case):
    assert_tells(case)
