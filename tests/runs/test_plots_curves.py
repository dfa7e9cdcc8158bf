"""Learning curves against a plain double loop, and the files they are read from."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptan.algorithms import DQNConfig
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.plots import (
    LearningCurve,
    area_under,
    common_grid,
    group_labels,
    mean_of_steps,
    read_curve,
)
from ptan.runs.settings import RunConfig, RunSettings


def curve_of(episodes: list[tuple[int, float]], env_steps: int, **config) -> LearningCurve:
    ends_and_returns = np.array(episodes, np.float64).reshape(-1, 2)
    none = np.empty((0, 2))
    return LearningCurve(Path("run"), config, env_steps, ends_and_returns, none, none)


EPISODES = st.lists(st.tuples(st.integers(0, 60), st.integers(-9, 9)), max_size=30).map(
    lambda pairs: sorted((end, float(value)) for end, value in pairs)
)
GRID = st.lists(st.integers(0, 90), min_size=1, max_size=12)


def same(found: np.ndarray, expected: list[float]) -> bool:
    return np.allclose(found, expected, atol=1e-12, equal_nan=True)


@given(EPISODES, GRID, st.integers(1, 40), st.integers(60, 80))
def test_the_mean_of_the_last_steps(episodes, grid, last: int, env_steps: int) -> None:
    expected = []
    for step in grid:
        inside, before = [], []
        for end, value in episodes:
            if step - last < end <= step:
                inside.append(value)
            elif end <= step:
                before.append((end, value))
        if not inside and before:
            inside = [value for end, value in before if end == before[-1][0]]
        known = inside and step <= env_steps
        expected.append(sum(inside) / len(inside) if known else math.nan)
    assert same(mean_of_steps(curve_of(episodes, env_steps), grid, last), expected)


def test_the_grid_ends_with_the_longest_run() -> None:
    grid = common_grid([curve_of([], 500), curve_of([], 1_000)], points=4)
    assert grid.tolist() == [250, 500, 750, 1_000]
    # 3 · (1/3) style rounding must not put the last point behind the end of the run.
    for env_steps in (999_983, 12_345_677):
        curve = curve_of([(1, 2.0)], env_steps)
        assert mean_of_steps(curve, common_grid([curve], points=199), 10)[-1] == 2.0


def test_the_area_under_a_curve() -> None:
    # 200 points, a twentieth of 200 steps looked back: nothing before 2, then 4, their mean at 40…
    curve = curve_of([(2, 4.0), (40, 8.0)], 200)
    assert area_under(curve, 200) == pytest.approx((38 * 4 + 161 * 8) / 199)
    assert area_under(curve_of([], 10), 10) is None


def folder_with(path: Path, lines: list[str], **settings) -> Path:
    config = RunConfig(
        algorithm="dqn",
        settings=RunSettings(env_id="CartPole-v1", steps=settings.pop("steps", 100)),
        config=DQNConfig(**settings),
    )
    RunFolder.create(path, config)
    (path / "metrics.jsonl").write_text("".join(lines))
    return path


def line(env_steps: int, **values) -> str:
    tags = {name.replace("__", "/"): value for name, value in values.items()}
    return json.dumps({"env_steps": env_steps, "seconds": 0.1, **tags}) + "\n"


def test_a_run_folder_is_read(tmp_path: Path) -> None:
    lines = [
        line(20, episodes__reward=9.0, episodes__steps=20),
        line(30, train__fps=1000.0),
        line(40, episodes__reward=11.0),
        line(40, episodes__reward=12, episodes__mean_reward=11.5),
        line(50, evaluation__reward=200.0),
        line(60, episodes__reward=None),
        '{"env_steps": 70, "episodes/rew',
    ]
    curve = read_curve(folder_with(tmp_path / "run", lines, double=True))
    assert curve.episodes.tolist() == [[20, 9], [40, 11], [40, 12]]
    assert curve.means.tolist() == [[40, 11.5]]
    assert curve.evaluations.tolist() == [[50, 200]]
    assert curve.env_steps == 60
    assert curve.config["config"]["double"] is True


def test_the_result_tells_where_a_run_ended(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "run", [line(90, episodes__reward=1.0)])
    (folder / "result.json").write_text('{"env_steps": 100}')
    assert read_curve(folder).env_steps == 100
    (folder / "result.json").write_text('{"env_st')
    assert read_curve(folder).env_steps == 90


def test_runs_without_episodes_have_a_curve_without_values(tmp_path: Path) -> None:
    logged = read_curve(folder_with(tmp_path / "a", [line(30, train__fps=1.0)]))
    fresh = folder_with(tmp_path / "b", [])
    (fresh / "metrics.jsonl").unlink()
    for curve, env_steps in ((logged, 30), (read_curve(fresh), 0)):
        assert curve.env_steps == env_steps
        assert np.isnan(mean_of_steps(curve, [0, 10, 30], 20)).all()


@pytest.mark.parametrize(
    "lines",
    [
        [line(30, episodes__reward=1.0), line(20, episodes__reward=1.0)],
        ["[1, 2]\n", line(20, episodes__reward=1.0)],
        ['{"episodes/reward": 1.0}\n'],
    ],
)
def test_damaged_folders_are_refused_in_one_line(tmp_path: Path, lines) -> None:
    with pytest.raises(RunError, match="run") as caught:
        read_curve(folder_with(tmp_path / "run", lines))
    assert "\n" not in str(caught.value)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        read_curve(tmp_path / "nowhere")


def config_of(**settings) -> dict:
    run_settings = RunSettings(
        env_id=settings.pop("env_id", "CartPole-v1"), steps=settings.pop("steps", 100)
    )
    config = DQNConfig(**settings)
    return RunConfig(algorithm="dqn", settings=run_settings, config=config).to_json()


def labels_of(*configs: dict) -> list[str]:
    return group_labels([curve_of([], 1, **config) for config in configs])


def test_labels_name_what_differs_and_leave_out_the_seed() -> None:
    assert labels_of(config_of(seed=1), config_of(seed=2, steps=500)) == ["dqn", "dqn"]
    assert labels_of(config_of(), config_of(double=True), config_of(double=True, noisy=True)) == [
        "base",
        "double",
        "double, noisy",
    ]
    assert labels_of(config_of(gamma=0.9), config_of(double=True, gamma=0.5)) == [
        "gamma 0.9",
        "double, gamma 0.5",
    ]
    assert labels_of(config_of(), config_of(env_id="Acrobot-v1")) == ["CartPole-v1", "Acrobot-v1"]
    assert labels_of(config_of(hidden=(8, 8)), config_of()) == ["hidden (8, 8)", "hidden None"]
