"""Pictures: the data that the axes hold, and the files that are written."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ptan.algorithms import DQNConfig
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.plots import LearningCurve, compare_figure, plot_runs, run_figure, save_figure
from ptan.runs.settings import RunConfig, RunSettings


def curve_of(
    returns: list[float], env_steps: int = 100, seed: int = 0, **settings
) -> LearningCurve:
    """Episodes that end at steps 10, 20, …."""
    ends = np.arange(1, len(returns) + 1) * 10.0
    config = {
        "algorithm": "dqn",
        "seed": seed,
        "settings": {"env_id": "CartPole-v1", **settings},
    }
    means = np.cumsum(returns) / np.arange(1, len(returns) + 1)
    episodes = np.stack([ends, np.array(returns)], axis=1)
    return LearningCurve(
        Path("run"),
        config,
        env_steps,
        episodes,
        np.stack([ends, means], axis=1),
        np.array([[50.0, 7.5]]),
    )


def lines_of(figure) -> dict[str, np.ndarray]:
    """The points of each labelled line."""
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].get_lines()}


def dots_of(figure) -> dict[str, list[list[float]]]:
    collections = figure.axes[0].collections
    return {c.get_label(): np.asarray(c.get_offsets()).tolist() for c in collections}


def test_the_picture_of_a_run_holds_its_episodes_and_their_running_mean() -> None:
    figure = run_figure(curve_of([1.0, 3.0, 8.0], stop_reward=6.0))
    assert dots_of(figure) == {
        "episode": [[10, 1], [20, 3], [30, 8]],
        "greedy evaluation": [[50, 7.5]],
    }
    lines = lines_of(figure)
    mean = lines["mean of the last 100 episodes"].tolist()
    assert mean == [[10, 1], [20, 2], [30, 4]]
    assert lines["reward to stop at: 6"][:, 1].tolist() == [6, 6]
    axes = figure.axes[0]
    assert axes.get_xlabel() == "environment steps"
    assert axes.get_ylabel() == "return of an episode"
    assert axes.get_xlim() == (0, 100)
    assert axes.get_title("left") == "CartPole-v1: dqn, seed 0"


def test_runs_without_episodes_are_drawn_and_say_so() -> None:
    empty = curve_of([], env_steps=0)
    for figure in (run_figure(empty), compare_figure({"base": [empty]})):
        assert [text.get_text() for text in figure.axes[0].texts] == ["no episode has ended yet"]
        figure.canvas.draw()


def test_groups_have_an_interquartile_mean_a_band_and_thin_lines() -> None:
    flat = [[float(value)] * 10 for value in (0, 4, 8, 100)]
    groups = {"flat": [curve_of(returns) for returns in flat], "one": [curve_of([2.0] * 10)]}
    figure = compare_figure(groups)
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
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "flat (4 runs)",
        "one (1 run)",
    ]


def test_a_group_ends_with_its_first_run() -> None:
    short, long = curve_of([1.0] * 5, env_steps=50), curve_of([3.0] * 10, env_steps=100)
    lines = lines_of(compare_figure({"both": [short, long]}))
    points = lines["both (2 runs)"]
    assert (points[(points[:, 0] >= 10) & (points[:, 0] <= 50), 1] == 2).all()
    assert np.isnan(points[points[:, 0] > 50, 1]).all()


def test_runs_without_episodes_are_left_out_of_their_group() -> None:
    group = [curve_of([1.0] * 10), curve_of([]), curve_of([3.0] * 10)]
    assert lines_of(compare_figure({"base": group}))["base (2 of 3 runs)"][-1].tolist() == [100, 2]


def test_more_groups_than_colours_differ_in_their_dashes() -> None:
    figure = compare_figure({f"g{i}": [curve_of([float(i)])] for i in range(20)})
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].get_lines()}
    assert len(styles) == 20


def test_only_a_common_reward_to_stop_at_is_drawn() -> None:
    same = {"a": [curve_of([1.0], stop_reward=5.0)], "b": [curve_of([2.0], stop_reward=5.0)]}
    assert "reward to stop at: 5" in lines_of(compare_figure(same))
    differing = {**same, "c": [curve_of([2.0], stop_reward=9.0)]}
    assert not any("stop" in label for label in lines_of(compare_figure(differing)))


def run_folder(path: Path, returns: list[float], **settings) -> Path:
    config = RunConfig(
        algorithm="dqn",
        settings=RunSettings(env_id="CartPole-v1", steps=100),
        config=DQNConfig(**settings),
    )
    RunFolder.create(path, config)
    rows = [
        {"env_steps": 10 * (i + 1), "seconds": 0.1, "episodes/reward": value}
        for i, value in enumerate(returns)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def check_picture(path: Path) -> None:
    """A PNG that decodes, has the size it should, and is not blank."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.size == (1080, 600)
        assert len(image.convert("RGB").getcolors(1_000_000)) > 10
    assert not list(path.parent.glob(".*"))


def test_pictures_are_written(tmp_path: Path) -> None:
    first = run_folder(tmp_path / "a", [1.0, 2.0, 3.0])
    second = run_folder(tmp_path / "b", [2.0, 2.0], double=True)
    plot_runs([first], tmp_path / "new" / "one.png")
    plot_runs([first, second], tmp_path / "two.png")
    for name in ("new/one.png", "two.png"):
        check_picture(tmp_path / name)


@pytest.mark.parametrize(("suffix", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_vector_graphics_are_written(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / f"curve.{suffix}"
    save_figure(run_figure(curve_of([1.0, 2.0])), path)
    assert path.read_bytes().startswith(magic)


def test_pictures_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    figure = run_figure(curve_of([1.0]))
    with pytest.raises(RunError, match=r"\.png, \.svg or \.pdf"):
        save_figure(figure, tmp_path / "curve.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        save_figure(figure, tmp_path / "file" / "curve.png")
    with pytest.raises(RunError, match="no run folder"):
        plot_runs([tmp_path / "nowhere"], tmp_path / "curve.png")


def test_matplotlib_is_asked_for_in_one_line(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'^.*pip install "ptan\[plots\]"$'):
        run_figure(curve_of([1.0]))


def test_pyplot_is_left_alone(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    run_figure(curve_of([1.0])).canvas.draw()
