"""Learning curves against a plain double loop, the files they are read from, and their pictures."""

import json
import math
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ptan.algorithms import DQNConfig
from ptan.runs import RunConfig, RunError, RunFolder, RunSettings
from ptan.runs.plots import (
    LearningCurve,
    area_under,
    compare_figure,
    grid_of,
    group_labels,
    mean_of_steps,
    plot_runs,
    read_curve,
    run_figure,
    save_figure,
)


def config_of(settings: dict[str, Any] | None = None, **dqn: Any) -> RunConfig:
    run = RunSettings(**{"env_id": "CartPole-v1", "steps": 100, **(settings or {})})
    return RunConfig(algorithm="dqn", settings=run, config=DQNConfig(**{"seed": 0, **dqn}))


def curve_of(
    episodes: list[tuple[float, float]], env_steps: int = 100, config: RunConfig | None = None
) -> LearningCurve:
    pairs = np.array(episodes, np.float64).reshape(-1, 2)
    means = pairs.copy()
    means[:, 1] = np.cumsum(pairs[:, 1]) / np.arange(1, len(pairs) + 1)
    found = np.array([[50.0, 7.5]] * bool(episodes)).reshape(-1, 2)
    return LearningCurve(config or config_of(), env_steps, pairs, means, found)


def tens(returns: list[float], env_steps: int = 100, **settings: Any) -> LearningCurve:
    """Episodes that end at steps 10, 20, …."""
    episodes = [(10.0 * (i + 1), value) for i, value in enumerate(returns)]
    return curve_of(episodes, env_steps, config_of(settings))


EPISODES = st.lists(st.tuples(st.integers(0, 60), st.integers(-9, 9)), max_size=30).map(
    lambda pairs: sorted((end, float(value)) for end, value in pairs)
)


@given(
    EPISODES,
    st.lists(st.integers(0, 90), min_size=1, max_size=12),
    st.integers(1, 40),
    st.integers(60, 80),
)
def test_the_mean_of_the_last_steps(episodes, grid, last: int, env_steps: int) -> None:
    expected = []
    for step in grid:
        inside = [value for end, value in episodes if step - last < end <= step]
        before = [pair for pair in episodes if pair[0] <= step]
        if not inside and before:
            inside = [value for end, value in before if end == before[-1][0]]
        known = inside and step <= env_steps
        expected.append(sum(inside) / len(inside) if known else math.nan)
    found = mean_of_steps(curve_of(episodes, env_steps), grid, last)
    assert np.allclose(found, expected, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("env_steps", [1_000, 999_983, 12_345_677])
def test_the_last_point_is_not_behind_the_end_of_a_run(env_steps: int) -> None:
    grid = grid_of(env_steps)
    assert (len(grid), grid[0]) == (200, env_steps / 200)
    assert mean_of_steps(curve_of([(1, 2.0)], env_steps), grid, 10)[-1] == 2.0


def test_the_area_under_a_curve() -> None:
    # 200 points, a twentieth of 200 steps looked back: nothing before 2, then 4, their mean at 40…
    curve = curve_of([(2, 4.0), (40, 8.0)], 200)
    assert area_under(curve, 200) == pytest.approx((38 * 4 + 161 * 8) / 199)
    assert area_under(curve_of([], 10), 10) is None


@pytest.mark.parametrize(
    ("configs", "labels"),
    [
        ([config_of(seed=1), config_of({"steps": 500}, seed=2)], ["dqn", "dqn"]),
        (
            [config_of(), config_of(double=True), config_of(double=True, noisy=True)],
            ["base", "double", "double, noisy"],
        ),
        (
            [config_of(gamma=0.9), config_of(double=True, gamma=0.5)],
            ["gamma 0.9", "double, gamma 0.5"],
        ),
        ([config_of(), config_of({"env_id": "Acrobot-v1"})], ["CartPole-v1", "Acrobot-v1"]),
        ([config_of(hidden=(8, 8)), config_of()], ["hidden (8, 8)", "base"]),
        ([config_of(eps_final=0.0), config_of()], ["eps_final 0.0", "eps_final 0.02"]),
    ],
)
def test_labels_name_what_differs_and_leave_out_the_seed(configs, labels) -> None:
    assert group_labels([curve_of([], config=config) for config in configs]) == labels


def folder_with(path: Path, lines: list[dict[str, Any] | str], **dqn: Any) -> Path:
    RunFolder.create(path, config_of(**dqn))
    texts = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
    (path / "metrics.jsonl").write_text("".join(texts))
    return path


def line(env_steps: int, reward: Any = 1.0, **tags: Any) -> dict[str, Any]:
    return {"env_steps": env_steps, "seconds": 0.1, "episodes/reward": reward, **tags}


def test_a_run_folder_is_read_and_its_result_tells_where_it_ended(tmp_path: Path) -> None:
    lines = [
        line(20, 9.0),
        {"env_steps": 30, "seconds": 1.0, "train/fps": 1000.0},
        line(40, 11.0),
        line(40, 12, **{"episodes/mean_reward": 11.5}),
        {"env_steps": 50, "seconds": 1.0, "evaluation/reward": 200.0},
        line(60, None),
        '{"env_steps": 70, "episodes/rew',
    ]
    folder = folder_with(tmp_path / "run", lines, double=True)
    curve = read_curve(folder)
    assert curve.episodes.tolist() == [[20, 9], [40, 11], [40, 12]]
    assert curve.means.tolist() == [[40, 11.5]]
    assert curve.evaluations.tolist() == [[50, 200]]
    assert curve.config == config_of(double=True)
    for result, env_steps in (("", 60), ('{"env_st', 60), ('{"env_steps": 100}', 100)):
        (folder / "result.json").write_text(result)
        assert read_curve(folder).env_steps == env_steps


def test_runs_without_episodes_have_a_curve_without_values(tmp_path: Path) -> None:
    logged = read_curve(folder_with(tmp_path / "a", [line(30, None)]))
    fresh = folder_with(tmp_path / "b", [])
    (fresh / "metrics.jsonl").unlink()
    for curve, env_steps in ((logged, 30), (read_curve(fresh), 0)):
        assert curve.env_steps == env_steps
        assert np.isnan(mean_of_steps(curve, [0, 10, 30], 20)).all()


@pytest.mark.parametrize(
    "lines",
    [
        [line(30), line(20)],
        ["[1, 2]\n", line(20)],
        ['{"episodes/reward": 1.0}\n'],
        [line(20, "much")],
        [line(20, [1.0, 2.0])],
    ],
)
def test_damaged_folders_are_refused_in_one_line(tmp_path: Path, lines) -> None:
    with pytest.raises(RunError, match=r"metrics\.jsonl is damaged") as caught:
        read_curve(folder_with(tmp_path / "run", lines))
    assert "\n" not in str(caught.value)


def lines_of(figure) -> dict[str, np.ndarray]:
    """The points of each labelled line."""
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].get_lines()}


def test_the_picture_of_a_run_holds_its_episodes_and_their_running_mean() -> None:
    figure = run_figure(tens([1.0, 3.0, 8.0], stop_reward=6.0))
    found = {label: points.tolist() for label, points in lines_of(figure).items()}
    assert found["episode"] == [[10, 1], [20, 3], [30, 8]]
    assert found["greedy evaluation"] == [[50, 7.5]]
    assert found["mean of the last 100 episodes"] == [[10, 1], [20, 2], [30, 4]]
    assert [y for _, y in found["reward to stop at: 6"]] == [6, 6]
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("environment steps", "return of an episode")
    assert axes.get_xlim() == (0, 100)
    assert axes.get_title("left") == "CartPole-v1: dqn, seed 0"


def test_runs_without_episodes_are_drawn_and_say_so() -> None:
    empty = tens([], env_steps=0)
    for figure in (run_figure(empty), compare_figure({"base": [empty]})):
        assert [text.get_text() for text in figure.axes[0].texts] == ["no episode has ended yet"]
        figure.savefig(BytesIO())


def test_groups_have_an_interquartile_mean_a_band_and_thin_lines() -> None:
    flat = [tens([float(value)] * 10) for value in (0, 4, 8, 100)]
    figure = compare_figure({"flat": flat, "one": [tens([2.0] * 10)]})
    lines = lines_of(figure)
    mean = lines["flat (4 runs)"]
    # Before step 10 no episode has ended; from there on the middle two of four count.
    assert np.isnan(mean[mean[:, 0] < 10, 1]).all()
    assert (mean[mean[:, 0] >= 10, 1] == 6).all()
    assert lines["one (1 run)"][-1].tolist() == [100, 2]
    seeds = [line for line in figure.axes[0].get_lines() if line.get_label() == "_run"]
    assert sorted(line.get_ydata()[-1] for line in seeds) == [0, 4, 8, 100]
    assert all(line.get_linewidth() < 1 for line in seeds)
    band, _ = figure.axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 0
    assert heights.max() > 8
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["flat (4 runs)", "one (1 run)"]


def test_a_group_ends_with_its_first_run_and_leaves_out_runs_without_episodes() -> None:
    short, long = tens([1.0] * 5, env_steps=50), tens([3.0] * 10)
    points = lines_of(compare_figure({"both": [short, tens([]), long]}))["both (2 of 3 runs)"]
    assert (points[(points[:, 0] >= 10) & (points[:, 0] <= 50), 1] == 2).all()
    assert np.isnan(points[points[:, 0] > 50, 1]).all()


def test_more_groups_than_colours_differ_in_their_dashes() -> None:
    figure = compare_figure({f"g{i}": [tens([float(i)])] for i in range(20)})
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].get_lines()}
    assert len(styles) == 20


def test_only_a_common_reward_to_stop_at_is_drawn() -> None:
    same = {"a": [tens([1.0], stop_reward=5.0)], "b": [tens([2.0], stop_reward=5.0)]}
    assert "reward to stop at: 5" in lines_of(compare_figure(same))
    differing = {**same, "c": [tens([2.0], stop_reward=9.0)]}
    assert not any("stop" in label for label in lines_of(compare_figure(differing)))


def test_pictures_are_written_whole_without_pyplot(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    first = folder_with(tmp_path / "a", [line(10), line(20, 2.0)])
    second = folder_with(tmp_path / "b", [line(10, 2.0)], double=True)
    plot_runs([first], tmp_path / "new" / "one.png")
    plot_runs([first, second], tmp_path / "two.png")
    for name in ("new/one.png", "two.png"):
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == ("PNG", (1080, 600))
            assert len(image.convert("RGB").getcolors(1_000_000)) > 10  # not blank
    for suffix, magic in (("svg", b"<?xml"), ("pdf", b"%PDF")):
        path = tmp_path / f"curve.{suffix}"
        plot_runs([first], path)
        assert path.read_bytes().startswith(magic)
    assert not list(tmp_path.rglob(".*"))


def test_pictures_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch) -> None:
    figure = run_figure(tens([1.0]))
    with pytest.raises(RunError, match=r"\.png, \.svg or \.pdf"):
        save_figure(figure, tmp_path / "curve.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        save_figure(figure, tmp_path / "file" / "curve.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'^.*pip install "ptan\[plots\]"$'):
        run_figure(tens([1.0]))
