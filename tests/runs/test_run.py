"""Runs that stop and go on: with saved replay as if never stopped, else honestly begun anew."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ptan.algorithms import DQNConfig
from ptan.runs import Run, RunError
from ptan.runs.errors import TrainingFailure
from ptan.training.checkpoint import Checkpoints
from ptan.training.threads import ThreadTuner

from .small import DQN_SETTINGS, Listener, after, config, metrics


def weights(run: Run) -> dict[str, torch.Tensor]:
    algorithm = run.algorithm
    return {**algorithm.net.state_dict(), **algorithm.target.target_model.state_dict()}


RAINBOW = DQNConfig.rainbow(
    hidden=8, batch_size=4, replay_size=150, warm_up=60, sync_every=7, steps_per_update=3, seed=5
)


def test_a_run_with_saved_replay_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    settings = config(RAINBOW, exact=True, num_envs=3, steps=260)
    whole = Run.create(settings, tmp_path / "whole")
    expected = whole.train()

    run = Run.create(settings, tmp_path / "parts")
    for calls in (1, 25):  # in the warm-up, and later
        assert run.train(interrupted=after(calls)) is None
        assert not run.folder.result.exists()
        run = Run.resume(run.folder.path)
    listener = Listener()
    found = run.train(listener)

    assert not listener.heard("new episodes")
    assert not listener.heard("not saved")
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
    steps, updates = run.algorithm.env_steps, run.algorithm.updates
    before = weights(run)

    again = Run.resume(tmp_path / "run")
    assert all(torch.equal(weights(again)[k], v) for k, v in before.items())
    assert again.state.beginnings == 1
    listener = Listener()
    result = again.train(listener)
    assert result is not None
    # The buffer's 60 rows are steps too, and no update belongs to them.
    assert result["env_steps"] - steps - (result["updates"] - updates) == 60
    said = "\n".join(listener.lines)
    assert "new episodes begin" in said
    assert "fill it again" in said
    assert f"resumed at {steps:,} environment steps" in said


def test_lines_written_after_the_newest_checkpoint_are_cut_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    run = Run.create(config(exact=True), tmp_path / "run")
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


def test_new_settings_are_written_down_once_training_goes_on_and_not_before(tmp_path: Path) -> None:
    Run.create(config(steps=100), tmp_path / "run").train()
    before = (tmp_path / "run" / "config.json").read_bytes()
    (tmp_path / "run" / "metrics.jsonl").write_text("{no json\n")
    with pytest.raises(RunError, match="damaged"):
        Run.resume(tmp_path / "run", {"steps": 300}).train()
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_a_run_that_is_over_stays_over_and_writes_nothing_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = config(stop_reward=1.0, stop_episodes=1, eval_episodes=2)
    first = Run.create(settings, folder).train()
    events = sorted(folder.glob("tensorboard/*"))
    lines = metrics(folder)
    listener = Listener()
    assert first is not None
    assert first["stopped_because"] == "stop_reward"
    assert Run.resume(folder).train(listener) == first
    assert (metrics(folder), sorted(folder.glob("tensorboard/*"))) == (lines, events)
    assert listener.heard("over already")
    assert not listener.heard("new episodes")


def test_a_run_that_goes_on_has_no_result_until_it_is_over_again(tmp_path: Path) -> None:
    Run.create(config(steps=150), tmp_path / "run").train()
    run = Run.resume(tmp_path / "run", {"steps": 300})
    assert run.train(interrupted=after(20)) is None
    assert not run.folder.result.exists()


def test_a_warm_up_that_was_cut_and_not_saved_begins_anew_and_says_so(tmp_path: Path) -> None:
    long = replace(DQN_SETTINGS, warm_up=700, replay_size=900)
    uncut = Run.create(config(long, steps=720), tmp_path / "uncut").train()
    run = Run.create(config(long, steps=720), tmp_path / "run")
    assert run.train(interrupted=after(1)) is None
    assert (run.algorithm.env_steps, run.algorithm.updates) == (500, 0)
    run, listener = Run.resume(tmp_path / "run"), Listener()
    result = run.train(listener)
    assert listener.heard("warm-up begins anew")
    assert uncut is not None
    assert result is not None
    assert (result["updates"], result["env_steps"]) == (uncut["updates"], uncut["env_steps"])
    assert run.algorithm.epsilon == pytest.approx(1 - 0.98 * 20 / 100)


def test_episodes_of_the_warm_up_are_logged_at_their_end(tmp_path: Path) -> None:
    long = replace(DQN_SETTINGS, warm_up=1_100, replay_size=1_200)
    run = Run.create(config(long, steps=1_110), tmp_path / "run")
    result = run.train()
    lines = [line for line in metrics(tmp_path / "run") if "episodes/reward" in line]
    assert {line["env_steps"] for line in lines[:-1]} >= {500, 1_000}
    assert result is not None
    assert result["training"]["episodes"] == len(lines)
    # CartPole pays 1 a step, and what is not over yet is not logged.
    assert 1_110 - 500 < sum(line["episodes/reward"] for line in lines) <= 1_110


def test_steps_that_only_fill_the_replay_again_are_not_passed_off_as_training(
    tmp_path: Path,
) -> None:
    Run.create(config(steps=100), tmp_path / "run").train()
    run, listener = Run.resume(tmp_path / "run", {"steps": 140}), Listener()
    run.train(listener)
    assert listener.heard("there was no update")


def test_only_one_process_trains_a_run(tmp_path: Path) -> None:
    run = Run.create(config(steps=100), tmp_path / "run")
    config_before = run.folder.config.read_bytes()
    with pytest.raises(RunError, match="in training already"):
        Run.resume(tmp_path / "run")
    assert run.folder.config.read_bytes() == config_before
    assert run.train() is not None
    assert Run.resume(tmp_path / "run", {"steps": 200}).train() is not None


DAMAGE = {
    "no run": lambda state: state.pop("run"),
    "no saved_at": lambda state: state["run"].pop("saved_at"),
    "threads": lambda state: state["run"].update(threads="one"),
    "noise": lambda state: state["algorithm"].update(noise_rng=3),
    "no noise": lambda state: state["algorithm"].update(noise_rng=None),
    "tracker": lambda state: state["tracker"]["rng"].update(state={"state": 3}),
    "no algorithm": lambda state: state.update(algorithm=None),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_that_does_not_fit_is_one_error_and_changes_nothing(
    tmp_path: Path, damage: str
) -> None:
    run = Run.create(config(steps=100), tmp_path / "run")
    run.train()
    checkpoints = Checkpoints(run.folder.checkpoints)
    loaded = checkpoints.load()
    assert loaded is not None
    DAMAGE[damage](loaded.state)
    checkpoints.save(loaded.state, 100)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json*")}
    with pytest.raises(RunError, match="checkpoint"):
        Run.resume(tmp_path / "run", {"steps": 200})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json*")} == before


@pytest.mark.parametrize("has", [False, True])
def test_a_device_that_only_imitates_bfloat16_computes_in_float32_and_says_so(
    tmp_path: Path, monkeypatch, has
) -> None:
    monkeypatch.setattr("ptan.algorithms.dqn.computes_in_bfloat16", lambda device: has)
    mixed = replace(DQN_SETTINGS, mixed_precision=True)
    listener = Listener()
    Run.create(config(mixed, steps=70), tmp_path / "run").train(listener)
    assert listener.heard("mixed precision: float32") != has


def test_a_folder_whose_settings_could_not_be_written_is_not_left(
    tmp_path: Path, monkeypatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ptan.runs.folder.replace_file", full)
    with pytest.raises(RunError, match="No space left"):
        Run.create(config(), tmp_path / "run")
    assert not list(tmp_path.iterdir())


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
    assert run.algorithm.env_steps == 300


def test_callbacks_are_told_and_may_stop_the_run(tmp_path: Path) -> None:
    class Follower:
        def __init__(self) -> None:
            self.told: list[str] = []

        def on_start(self, training) -> None:
            self.training = training
            self.told.append("start")

        def on_update(self, record) -> None:
            if record.updates == 5:
                self.training.stop("enough")

        def on_checkpoint(self, env_steps, path) -> None:
            self.told.append(f"checkpoint {env_steps} {path.is_dir()}")

        def on_end(self, reason) -> None:
            self.told.append(reason)

    follower = Follower()
    result = Run.create(config(), tmp_path / "run").train(callbacks=[follower])
    assert result is not None
    assert (result["stopped_because"], result["updates"]) == ("enough", 5)
    assert follower.told == ["start", "checkpoint 65 True", "enough"]


class Failing:
    """Fails at an event; notes checkpoints."""

    def __init__(self, event: str) -> None:
        self.saved: list[int] = []
        setattr(self, event, self.fail)

    def fail(self, *args: object) -> None:
        self.saved += [one for one in args[:-1] if isinstance(args[-1], Path)]
        raise RuntimeError("no\npower")

    def on_checkpoint(self, env_steps: int, path: Path) -> None:
        self.saved.append(env_steps)


@pytest.mark.parametrize(
    ("event", "steps", "saved"),
    [
        ("on_start", 0, [0]),
        ("on_update", 61, [61]),
        ("on_checkpoint", 150, [150]),
        ("on_end", 200, [150, 200]),
        ("on_evaluation", 200, [150, 200]),
    ],
)
def test_a_failing_callback_is_one_line_and_what_was_learned_is_saved_once(
    tmp_path: Path, event: str, steps: int, saved: list[int]
) -> None:
    settings = config(steps=200, checkpoint_every=150, eval_episodes=1)
    line = f"training on CartPole-v1 failed in a callback after {steps} steps: RuntimeError: no p"
    with pytest.raises(TrainingFailure, match=line) as caught:
        Run.create(settings, tmp_path / "run").train(callbacks=[failing := Failing(event)])
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("; what was learned so far is saved") == (steps < 200)
    assert failing.saved == saved
    result = Run.resume(tmp_path / "run").train()
    assert result is not None
    assert result["env_steps"] == 200


def test_a_failure_before_a_step_leaves_the_checkpoint_and_a_later_one_costs_exact_episodes(
    tmp_path: Path,
) -> None:
    settings = config(exact=True, steps=120)
    assert Run.create(settings, tmp_path / "run").train(interrupted=after(9)) is None
    for event, words in (("on_start", []), ("on_update", []), ("on_end", ["new episodes begin"])):
        listener, failing = Listener(), Failing(event)
        with pytest.raises(TrainingFailure):
            Run.resume(tmp_path / "run").train(listener, callbacks=[failing])
        assert [one for one in listener.lines if "new episodes" in one] == [
            f"{one}: those in progress were not saved" for one in words
        ]
        assert bool(failing.saved) == (event != "on_start")


def test_the_threads_that_were_found_are_saved(tmp_path: Path, monkeypatch) -> None:
    class Finds(ThreadTuner):
        def on_update(self, record) -> None:
            self.threads = 2

    monkeypatch.setattr("ptan.runs.means.ThreadTuner", Finds)
    monkeypatch.setattr("ptan.runs.means.is_small", lambda parameters: False)
    run = Run.create(config(threads=0, device="cpu"), tmp_path / "run")
    assert run.train(interrupted=after(9)) is None
    assert Run.resume(tmp_path / "run").state.threads == 2
