"""Ablations: which runs are made, that none is made twice, and what the table says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from ptan.algorithms import DQNConfig
from ptan.runs.errors import RunError
from ptan.runs.folder import RunFolder
from ptan.runs.settings import RunConfig, RunSettings
from ptan.runs.statistics import bootstrap_interval
from ptan.runs.sweep import Ablation, table, variants
from ptan.training.durable import PARTIAL

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


def test_variants_are_base_singles_and_rainbow() -> None:
    found = variants(base_of())
    assert list(found) == ["base", *SIX, "rainbow"]
    assert found["base"] == dict(zip(SIX, [1, *[False] * 5], strict=True))
    for name in SIX:
        assert found[name] == {**found["base"], name: 4 if name == "n_steps" else True}
    assert DQNConfig(**found["rainbow"]) == DQNConfig.rainbow()


def test_leave_one_out() -> None:
    found = variants(base_of(), leave_one_out=True)
    assert list(found) == ["base", *(f"rainbow without {name}" for name in SIX), "rainbow"]
    assert found["rainbow without n_steps"] == {**found["rainbow"], "n_steps": 1}
    assert found["rainbow without noisy"] == {**found["rainbow"], "noisy": False}
    two = variants(base_of(), ["double", "noisy"], leave_one_out=True)
    assert list(two) == ["base", "all without double", "all without noisy", "all"]


def test_any_setting_that_is_on_or_off_is_a_switch() -> None:
    assert variants(base_of(factorized_noise=True), ["factorized_noise"]) == {
        "base": {"factorized_noise": False},
        "factorized_noise": {"factorized_noise": True},
    }


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        (["duble"], "did you mean 'double'"),
        (["gamma"], "switches must be among"),
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
    found = {job.path.relative_to(tmp_path).as_posix(): job.config for job in ablation.jobs}
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


def small_ablation(folder: Path, **settings) -> Ablation:
    options = {"switches": ["double"], "seeds": 2}
    return Ablation(base_of(**settings), folder, **options)


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_an_ablation_makes_its_runs_and_writes_what_they_say(tmp_path: Path) -> None:
    ablation = small_ablation(tmp_path)
    assert ablation.train()
    found = results_of(tmp_path)
    assert ablation.results() == found
    assert list(found["variants"]) == ["base", "double"]
    assert (found["runs_over"], found["runs"], found["seeds"]) == (4, 4, [3, 4])
    for label, variant in found["variants"].items():
        finals, areas = [], []
        for run, seed in zip(variant["runs"], (3, 4), strict=True):
            folder = tmp_path / run["folder"]
            assert RunFolder.open(folder).read_config().config.double is (label == "double")
            result = json.loads((folder / "result.json").read_text())
            assert result["env_steps"] == run["env_steps"] == 60
            finals.append(result["evaluation"]["mean"])
            assert (run["seed"], run["final"]) == (seed, finals[-1])
            areas.append(run["area"])
            assert run["area"] == pytest.approx(area_by_hand(folder, 60))
        # Two of two runs: the interquartile mean is their mean, the interval ends at them.
        for score, values in (("final", finals), ("area", areas)):
            interval = variant[score]
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
    one = Ablation(base_of(), tmp_path, switches=["double"], seeds=1)
    assert one.train()
    alone = results_of(tmp_path)["variants"]["base"]["final"]
    assert (alone["low"], alone["high"]) == (None, None)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/result.json")}
    assert len(made) == 2
    assert small_ablation(tmp_path).train()
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert len(list(tmp_path.glob("*/*/result.json"))) == 4


class Fuse:
    """Says stop at the nth question."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_an_interrupted_ablation_goes_on(tmp_path: Path) -> None:
    # Four runs of about 40 questions each: the second one is cut off in its middle.
    assert not small_ablation(tmp_path).train(interrupted=Fuse(70))
    found = results_of(tmp_path)
    assert 1 <= found["runs_over"] < 4
    assert "are not over yet" in (tmp_path / "results.md").read_text()
    assert small_ablation(tmp_path).train()
    found = results_of(tmp_path)
    assert found["runs_over"] == 4
    resumed = [run["resumed"] for each in found["variants"].values() for run in each["runs"]]
    assert sorted(resumed) == [0, 0, 0, 1]


def test_nothing_is_written_before_a_run_is_over(tmp_path: Path) -> None:
    ablation = small_ablation(tmp_path / "new")
    assert not ablation.train(interrupted=lambda: True)
    assert ablation.results() is None
    assert not (tmp_path / "new").exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    ablation = small_ablation(tmp_path)
    begun, being_made = ablation.jobs[0], ablation.jobs[1]
    folder = RunFolder.create(begun.path, begun.config)
    folder.metrics.write_text('{"env_steps": 10, "seconds": 1.0, "episodes/reward": 99999.0}\n')
    being_made.path.mkdir(parents=True)
    (being_made.path / f"{PARTIAL}config.json").write_text("{")
    assert ablation.train()
    assert "99999" not in folder.metrics.read_text()
    assert results_of(tmp_path)["runs_over"] == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"gamma": 0.5}, "gamma 0.99, not 0.5"), ({"steps": 80}, "steps 60, not 80")],
)
def test_runs_of_other_settings_are_not_taken_for_ones_own(tmp_path, settings, message) -> None:
    job = small_ablation(tmp_path).jobs[0]
    RunFolder.create(job.path, job.config)
    with pytest.raises(RunError, match=message):
        small_ablation(tmp_path, **settings)


def test_other_things_in_the_way_are_left_alone(tmp_path: Path) -> None:
    ablation = small_ablation(tmp_path)
    ablation.jobs[0].path.mkdir(parents=True)
    thesis = ablation.jobs[0].path / "thesis.txt"
    thesis.write_text("mine")
    with pytest.raises(RunError, match="in the way"):
        ablation.train()
    assert thesis.read_text() == "mine"


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    base = base_of()
    unevaluated = replace(base, settings=replace(base.settings, eval_episodes=0))
    with pytest.raises(RunError, match="eval_episodes"):
        Ablation(unevaluated, tmp_path)
    with pytest.raises(ValueError, match="seeds"):
        Ablation(base, tmp_path, seeds=0)
    with pytest.raises(ValueError, match="jobs"):
        small_ablation(tmp_path).train(jobs=0)
    with pytest.raises(RunError, match="did you mean"):
        small_ablation(tmp_path, env_id="CartPoll-v1").train()


def test_runs_side_by_side_equal_those_in_turn(tmp_path: Path) -> None:
    side, turn = tmp_path / "side", tmp_path / "turn"
    said: list[str] = []

    class Watch:
        def progress(self, progress) -> None: ...

        def say(self, line: str) -> None:
            said.append(line)

    make: Callable[[Path], Ablation] = lambda folder: Ablation(  # noqa: E731
        base_of(), folder, switches=["double"], seeds=1
    )
    assert make(side).train(jobs=2, watch=Watch())
    assert said[:2] == ["1 of 2: base, seed 3", "2 of 2: double, seed 3"]
    make(turn).train()
    assert results_of(side) == results_of(turn)


def test_a_failure_side_by_side_is_one_line(tmp_path: Path) -> None:
    # Registered here only: a process of its own does not know it.
    gymnasium.register("OnlyHere-v0", "gymnasium.envs.classic_control:CartPoleEnv")
    ablation = Ablation(base_of(env_id="OnlyHere-v0"), tmp_path, switches=["double"], seeds=1)
    try:
        with pytest.raises(
            RunError, match=r"(base|double), seed 3 failed: env must be .*Only"
        ) as caught:
            ablation.train(jobs=2)
    finally:
        del gymnasium.registry["OnlyHere-v0"]
    assert "\n" not in str(caught.value)
    assert not ablation.jobs[0].path.exists()


def test_interruption_reaches_runs_side_by_side(tmp_path: Path) -> None:
    ablation = Ablation(base_of(steps=10_000_000), tmp_path, switches=["double"], seeds=1)
    folder = RunFolder(ablation.jobs[0].path)
    assert not ablation.train(jobs=2, interrupted=folder.metrics.exists)
    assert folder.has_checkpoint


def test_the_table_of_known_results() -> None:
    scores = [10.0, 20.0, 30.0, 100.0]
    estimate, low, high = bootstrap_interval(scores, rng=0)
    interval = {"iqm": estimate, "low": low, "high": high}
    alone = {"iqm": 5.0, "low": None, "high": None}
    nothing = dict.fromkeys(alone)
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
            "double": {"final": alone, "area": nothing, "runs": [{}]},
        },
    }
    lines = table(found).splitlines()
    assert lines[0] == "# Pong: ablation of pong"
    assert lines[2] == (
        "1,000,000 environment steps per run, seed 7. 1 of 6 runs are not over yet."
    )
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    assert cells[2] == ["base", "4", *[f"25.00 [{low:.2f}, {high:.2f}]"] * 2]
    assert cells[3] == ["double", "1", "5.00", "–"]
