"""Runs that stop and go on: with saved replay as if never stopped, else honestly begun anew."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ptan.algorithms import DQNConfig
from ptan.runs import Run, RunConfig, RunError, RunSettings
from ptan.runs.watching import Progress

DQN_SETTINGS = DQNConfig(
    hidden=8, batch_size=4, replay_size=150, warm_up=60, eps_steps=100, sync_every=7, seed=5
)
SETTINGS = RunSettings(
    env_id="CartPole-v1",
    steps=400,
    threads=1,
    eval_episodes=0,
    diagnostics_every=20,
    checkpoint_every=0,
)


def config(dqn: DQNConfig = DQN_SETTINGS, **settings) -> RunConfig:
    return RunConfig(algorithm="dqn", settings=replace(SETTINGS, **settings), config=dqn)


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def progress(self, progress: Progress) -> None:
        assert progress.env_steps <= progress.steps + 10

    def say(self, line: str) -> None:
        self.lines.append(line)


def after(calls: int):
    """Says stop at the given call."""
    count = itertools.count(1)
    return lambda: next(count) >= calls


def metrics(folder: Path) -> list[dict]:
    """The lines without the numbers that clocks give."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["seconds"]
        line.pop("train/fps", None)
    return [line for line in lines if line.keys() != {"env_steps"}]


def weights(run: Run) -> dict[str, torch.Tensor]:
    algorithm = run.parts.algorithm
    return {**algorithm.net.state_dict(), **algorithm.target.target_model.state_dict()}


RAINBOW = DQNConfig.rainbow(
    hidden=8, batch_size=4, replay_size=150, warm_up=60, sync_every=7, steps_per_update=3, seed=5
)


@pytest.mark.parametrize(
    ("dqn", "num_envs"), [(DQN_SETTINGS, 1), (RAINBOW, 3)], ids=["plain", "rainbow-3-envs"]
)
@pytest.mark.parametrize("stops", [(40,), (1, 25)], ids=["once", "in-the-warm-up-too"])
def test_a_run_with_saved_replay_goes_on_as_if_never_stopped(
    tmp_path: Path, dqn: DQNConfig, num_envs: int, stops: tuple[int, ...]
) -> None:
    settings = config(dqn, save_replay=True, num_envs=num_envs, steps=260)
    whole = Run.create(settings, tmp_path / "whole")
    expected = whole.train()

    run = Run.create(settings, tmp_path / "parts")
    for calls in stops:
        assert run.train(interrupted=after(calls)) is None
        assert not run.folder.result.exists()
        run = Run.resume(run.folder.path)
    listener = Listener()
    found = run.train(listener)

    assert not any("new episodes" in line or "not saved" in line for line in listener.lines)
    assert all(torch.equal(weights(run)[k], v) for k, v in weights(whole).items())
    assert metrics(run.folder.path) == metrics(whole.folder.path)
    assert len([line for line in metrics(run.folder.path) if "episodes/reward" in line]) > 3
    assert expected is not None
    assert found is not None
    for name in ("env_steps", "updates", "training", "stopped_because"):
        assert found[name] == expected[name]


def test_without_saved_replay_it_begins_new_episodes_fills_the_buffer_and_says_so(
    tmp_path: Path,
) -> None:
    run = Run.create(config(), tmp_path / "run")
    first = run.train(interrupted=after(50))
    assert first is None
    steps, updates = run.parts.algorithm.env_steps, run.parts.algorithm.updates
    before = weights(run)

    again = Run.resume(tmp_path / "run")
    assert all(torch.equal(weights(again)[k], v) for k, v in before.items())
    assert again.parts.source._stepper.seed != run.parts.source._stepper.seed
    listener = Listener()
    result = again.train(listener)
    assert result is not None
    # The buffer's 60 rows are steps too, and no update belongs to them.
    assert result["env_steps"] - steps - (result["updates"] - updates) == 60
    said = "\n".join(listener.lines)
    assert "new episodes begin" in said
    assert "60 environment steps" in said
    assert f"resumed at {steps:,} environment steps" in said


def test_lines_written_after_the_newest_checkpoint_are_cut_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    run = Run.create(config(save_replay=True), tmp_path / "run")
    run.train(interrupted=after(30))
    saved = metrics(tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"env_steps": 390, "seconds": 9.0, "episodes/reward": 1000.0}\n{"env_st')
    Run.resume(tmp_path / "run").train(interrupted=after(1))
    lines = metrics(tmp_path / "run")
    assert lines[: len(saved)] == saved
    assert 1000.0 not in [line.get("episodes/reward") for line in lines]


def test_checkpoints_are_saved_at_their_distance(tmp_path: Path) -> None:
    run = Run.create(config(checkpoint_every=100, steps=400), tmp_path / "run")
    saved = []
    save = run.checkpoints.save

    def spied(state, step):
        saved.append(step)
        return save(state, step)

    run.checkpoints.save = spied
    run.train()
    assert saved == [100, 200, 300, 400]


def test_a_run_that_is_over_can_be_given_more_steps(tmp_path: Path) -> None:
    Run.create(config(steps=150), tmp_path / "run").train()
    run = Run.resume(tmp_path / "run", {"steps": 300})
    result = run.train()
    assert result is not None
    assert result["env_steps"] == 300
    assert json.loads(run.folder.config.read_text())["settings"]["steps"] == 300
    assert len(json.loads(run.folder.config.read_text())["resumed"]) == 1


def test_a_run_that_is_over_stays_over(tmp_path: Path) -> None:
    Run.create(config(stop_reward=1.0, stop_episodes=1), tmp_path / "run").train()
    run = Run.resume(tmp_path / "run")
    updates = run.parts.algorithm.updates
    result = run.train()
    assert result is not None
    assert (result["stopped_because"], result["updates"]) == ("stop_reward", updates)


def test_an_interrupted_last_evaluation_is_made_up_for(tmp_path: Path) -> None:
    settings = config(steps=100, eval_episodes=2)
    run = Run.create(settings, tmp_path / "run")
    # 60 steps of warm-up in one piece, 39 updates that do not stop, then the evaluation.
    assert run.train(interrupted=after(1 + 39 + 1)) is None
    result = Run.resume(tmp_path / "run").train()
    assert result is not None
    assert len(result["evaluation"]["returns"]) == 2
    assert result["env_steps"] == 100


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    Run.create(config(checkpoint_every=150, steps=400), tmp_path / "run").train()
    newest = max((tmp_path / "run" / "checkpoints").glob("*-step-*"))
    (newest / "tensors.safetensors").write_bytes(b"torn")
    run = Run.resume(tmp_path / "run")
    assert any(newest.name in warning for warning in run.warnings)
    assert run.parts.algorithm.env_steps == 300


def test_settings_that_make_the_environments_may_not_change(tmp_path: Path) -> None:
    Run.create(config(steps=70), tmp_path / "run").train()
    for name, value in (("env_id", "Acrobot-v1"), ("num_envs", 2), ("noop_max", 3)):
        with pytest.raises(RunError, match=name):
            Run.resume(tmp_path / "run", {name: value})
    with pytest.raises(RunError, match="steps"):
        Run.resume(tmp_path / "run", {"steps": 0})


def test_a_run_without_checkpoint_cannot_go_on(tmp_path: Path) -> None:
    Run.create(config(), tmp_path / "run")
    with pytest.raises(RunError, match="no checkpoint"):
        Run.resume(tmp_path / "run")


def test_nothing_is_written_where_the_parts_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="Discrete"):
        Run.create(config(env_id="Pendulum-v1"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_number_of_threads_is_put_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    Run.create(config(steps=70, threads=before + 1), tmp_path / "run").train()
    assert torch.get_num_threads() == before
