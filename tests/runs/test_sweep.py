"""Ablations: which runs are made, that none is made twice, and what the table says."""

import json
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from ptan.algorithms import DQNConfig
from ptan.runs import RunConfig, RunError, RunFolder, RunSettings
from ptan.runs.sweep import Ablation, table, variants

from .small import Listener, after

SIX = ["n_steps", "double", "noisy", "prioritized", "dueling", "distributional"]


def base_of(steps: int = 60, env_id: str = "CartPole-v1", **settings) -> RunConfig:
    small = {"hidden": 8, "batch_size": 4, "replay_size": 200, "warm_up": 20, "seed": 3}
    return RunConfig(
        algorithm="dqn",
        settings=RunSettings(
            env_id=env_id, steps=steps, eval_episodes=2, threads=1, stop_reward=9.0
        ),
        config=DQNConfig(**{**small, **settings}),
    )


def ablation_of(folder: Path, seeds: int = 2, **settings) -> Ablation:
    return Ablation(base_of(**settings), folder, switches=["double"], seeds=seeds)


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_variants_are_base_singles_and_rainbow() -> None:
    found = variants(base_of())
    assert list(found) == ["base", *SIX, "rainbow"]
    assert found["base"] == dict(zip(SIX, [1, *[False] * 5], strict=True))
    for name in SIX:
        assert found[name] == {**found["base"], name: 4 if name == "n_steps" else True}
    assert DQNConfig(**found["rainbow"]) == DQNConfig.rainbow()


def test_leave_one_out_and_switches_of_ones_own() -> None:
    found = variants(base_of(), leave_one_out=True)
    assert list(found) == ["base", *(f"rainbow without {name}" for name in SIX), "rainbow"]
    assert found["rainbow without n_steps"] == {**found["rainbow"], "n_steps": 1}
    assert found["rainbow without noisy"] == {**found["rainbow"], "noisy": False}
    two = variants(base_of(), ["double", "noisy"], leave_one_out=True)
    assert list(two) == ["base", "all without double", "all without noisy", "all"]
    # Any setting that is on or off is a switch, as it is in the base or not.
    assert variants(base_of(factorized_noise=True), ["factorized_noise"]) == {
        "base": {"factorized_noise": False},
        "factorized_noise": {"factorized_noise": True},
    }


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        (["duble"], "did you mean 'double'"),
        (["gamma"], "a switch must be one of"),
        ([], "at least one"),
        (["double", "double"], "each once"),
    ],
)
def test_impossible_switches_are_refused(switches, message: str) -> None:
    with pytest.raises(RunError, match=message):
        variants(base_of(), switches)


def test_jobs_are_the_base_but_for_switches_and_seeds(tmp_path: Path) -> None:
    base = base_of(double=True, gamma=0.7)
    ablation = Ablation(base, tmp_path, switches=["double", "dueling"], seeds=2)
    found = {job.folder.path.relative_to(tmp_path).as_posix(): job.config for job in ablation.jobs}
    assert list(found)[:2] == ["base/seed-3", "double/seed-3"]
    assert len(found) == 8
    for path, config in found.items():
        variant, seed = path.split("/seed-")
        assert config.config == replace(
            base.config,
            seed=int(seed),
            double=variant in ("double", "all"),
            dueling=variant in ("dueling", "all"),
        )
        assert config.settings == replace(base.settings, stop_reward=None)
    assert not list(tmp_path.iterdir())


def test_an_ablation_makes_its_runs_and_writes_what_they_say(tmp_path: Path) -> None:
    ablation = ablation_of(tmp_path)
    assert ablation.train()
    found = results_of(tmp_path)
    assert ablation.results() == found
    assert list(found["variants"]) == ["base", "double"]
    assert (found["runs_over"], found["runs"], found["seeds"]) == (4, 4, [3, 4])
    for label, variant in found["variants"].items():
        for run, seed in zip(variant["runs"], (3, 4), strict=True):
            folder = tmp_path / run["folder"]
            assert RunFolder(folder).read_config().config.double is (label == "double")
            result = json.loads((folder / "result.json").read_text())
            assert (result["env_steps"], run["seed"]) == (60, seed)
            assert run["final"] == result["evaluation"]["mean"]
            assert run["area"] == pytest.approx(area_by_hand(folder, 60))
        # Two of two runs: the interquartile mean is their mean, the interval ends at them.
        for score in ("final", "area"):
            interval, values = variant[score], [run[score] for run in variant["runs"]]
            assert interval["iqm"] == pytest.approx(sum(values) / 2)
            assert (interval["low"], interval["high"]) == pytest.approx(tuple(sorted(values)))
    text = (tmp_path / "results.md").read_text()
    assert text == table(found)
    final = found["variants"]["double"]["final"]
    assert f"| {final['iqm']:.2f} [{final['low']:.2f}, {final['high']:.2f}] " in text
    assert "60 environment steps per run, seeds 3 to 4.\n" in text
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def area_by_hand(folder: Path, steps: int) -> float:
    """The mean over 200 points of the mean return of episodes of the last twentieth."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    ends = [
        (line["env_steps"], line["episodes/reward"]) for line in lines if "episodes/reward" in line
    ]
    values = []
    for at in np.linspace(steps / 200, steps, 200):
        inside = [value for end, value in ends if at - steps / 20 < end <= at]
        before = [pair for pair in ends if pair[0] <= at]
        if before:
            inside = inside or [value for end, value in before if end == before[-1][0]]
            values.append(sum(inside) / len(inside))
    return sum(values) / len(values)


def test_what_is_over_is_not_made_again_and_seeds_can_be_added(tmp_path: Path) -> None:
    assert ablation_of(tmp_path, seeds=1).train()
    alone = results_of(tmp_path)["variants"]["base"]["final"]
    assert (alone["low"], alone["high"]) == (None, None)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/result.json")}
    assert len(made) == 2
    assert ablation_of(tmp_path).train()
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert len(list(tmp_path.glob("*/*/result.json"))) == 4


def test_an_interrupted_ablation_goes_on(tmp_path: Path) -> None:
    ablation = ablation_of(tmp_path / "new")
    assert not ablation.train(interrupted=lambda: True)
    assert ablation.results() is None
    assert not (tmp_path / "new").exists()  # nothing is written before a run is over
    # Four runs of about 40 questions each: the second one is cut off in its middle.
    assert not ablation.train(interrupted=after(70))
    assert 1 <= results_of(ablation.folder)["runs_over"] < 4
    assert "are not over yet" in (ablation.folder / "results.md").read_text()
    assert ablation_of(ablation.folder).train()
    assert results_of(ablation.folder)["runs_over"] == 4
    resumed = [json.loads(path.read_text())["resumed"] for path in tmp_path.rglob("config.json")]
    assert sorted(map(len, resumed)) == [0, 0, 0, 1]


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    ablation = ablation_of(tmp_path, seeds=1)
    begun = ablation.jobs[0]
    folder = RunFolder.create(begun.folder.path, begun.config)
    folder.metrics.write_text('{"env_steps": 10, "seconds": 1.0, "episodes/reward": 99999.0}\n')
    assert ablation.train()
    assert "99999" not in folder.metrics.read_text()
    assert results_of(tmp_path)["runs_over"] == 2


def test_what_is_in_the_way_is_left_alone(tmp_path: Path) -> None:
    ablation = ablation_of(tmp_path)
    job = ablation.jobs[0]
    job.folder.path.mkdir(parents=True)
    (job.folder.path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="in the way"):
        ablation.train()
    assert (job.folder.path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"gamma": 0.5}, "gamma 0.99, not 0.5"), ({"steps": 80}, "steps 60, not 80")],
)
def test_runs_of_other_settings_are_not_taken_for_ones_own(tmp_path, settings, message) -> None:
    job = ablation_of(tmp_path).jobs[0]
    RunFolder.create(job.folder.path, job.config)
    with pytest.raises(RunError, match=message):
        ablation_of(tmp_path, **settings)


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    base = base_of()
    unevaluated = replace(base, settings=replace(base.settings, eval_episodes=0))
    with pytest.raises(RunError, match="eval_episodes"):
        Ablation(unevaluated, tmp_path)
    with pytest.raises(ValueError, match="seeds"):
        Ablation(base, tmp_path, seeds=0)
    with pytest.raises(ValueError, match="jobs"):
        ablation_of(tmp_path).train(jobs=0)
    with pytest.raises(RunError, match="did you mean"):
        ablation_of(tmp_path, env_id="CartPoll-v1").train()


def test_runs_side_by_side_equal_those_in_turn(tmp_path: Path) -> None:
    listener = Listener()
    assert ablation_of(tmp_path / "side", seeds=1).train(jobs=2, watch=listener)
    assert [line[:7] for line in listener.lines] == ["1 of 2:", "2 of 2:"]
    ablation_of(tmp_path / "turn", seeds=1).train()
    assert results_of(tmp_path / "side") == results_of(tmp_path / "turn")


def test_a_failure_side_by_side_is_one_line(tmp_path: Path) -> None:
    # Registered here only: a process of its own does not know it.
    gymnasium.register("OnlyHere-v0", "gymnasium.envs.classic_control:CartPoleEnv")
    ablation = ablation_of(tmp_path, seeds=1, env_id="OnlyHere-v0")
    try:
        with pytest.raises(RunError, match=r"^(base|double), seed 3 failed: env must be .*Only.*$"):
            ablation.train(jobs=2)
    finally:
        del gymnasium.registry["OnlyHere-v0"]
    assert not ablation.jobs[0].folder.path.exists()


def test_interruption_reaches_runs_side_by_side(tmp_path: Path) -> None:
    ablation = ablation_of(tmp_path, seeds=1, steps=10_000_000)
    folder = ablation.jobs[0].folder
    assert not ablation.train(jobs=2, interrupted=folder.metrics.exists)
    assert folder.has_checkpoint


def test_the_table_of_known_results() -> None:
    interval = {"iqm": 25.0, "low": 11.0, "high": 82.5}
    alone = {"iqm": 5.0, "low": None, "high": None}
    found = {
        "env_id": "Pong",
        "algorithm": "dqn",
        "preset": "pong",
        "steps": 1_000_000,
        "seeds": [7],
        "runs_over": 5,
        "runs": 6,
        "window": 50_000,
        "evaluation": "greedy",
        "variants": {
            "base": {"final": interval, "area": interval, "runs": [{}] * 4},
            "double": {"final": alone, "area": dict.fromkeys(alone), "runs": [{}]},
        },
    }
    lines = table(found).splitlines()
    assert lines[0] == "# Pong: ablation of pong"
    assert lines[2] == (
        "1,000,000 environment steps per run, seed 7. 1 of 6 runs are not over yet."
    )
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    assert cells[2] == ["base", "4", *["25.00 [11.00, 82.50]"] * 2]
    assert cells[3] == ["double", "1", "5.00", "–"]
