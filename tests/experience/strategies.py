"""Hypothesis strategies for episodes, and the settings all property tests share."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from .envs import ENDS, MODES, Episode

PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

GAMMAS = st.sampled_from([1.0, 0.99, 0.9, 0.5, 0.0])
TRUNCATIONS = st.sampled_from(["bootstrap", "terminal"])


@st.composite
def episodes(draw, lives: bool = False):
    """One scripted episode of 1 to 9 steps; with ``lives`` some steps lose a life."""
    length = draw(st.integers(1, 9))
    end = draw(st.sampled_from(sorted(ENDS)))
    lost = draw(st.sets(st.integers(1, length), max_size=3)) if lives else set()
    if end == "terminated":
        lost = lost - {length}
    return Episode(length, end, tuple(sorted(lost)))


def plans(lives: bool = False, most: int = 3):
    """Plans of one to ``most`` environments with one to four episodes each."""
    plan = st.lists(episodes(lives), min_size=1, max_size=4)
    return st.lists(plan, min_size=1, max_size=most)


@st.composite
def driven_plans(draw):
    """Plans, and how their environments are driven; some lives are lost where that is a list."""
    driver = draw(st.sampled_from(["list", *sorted(MODES)]))
    return draw(plans(lives=driver == "list")), driver
