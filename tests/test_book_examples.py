"""The textbook programs: each runs, leaves the curves it promises, does it right, stays short."""

import math
import os
import re
import runpy
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import ptan
from ptan.algorithms import PRESETS

BOOK = Path(__file__).resolve().parent.parent / "examples" / "book"
PROGRAMS = sorted(BOOK.glob("[0-9]*.py"))

EVERY_100 = {"train/avg_loss", "train/avg_fps", "train/values"}
EPSILON = {"train/epsilon"}
HEADS = {"train/adv", "train/val"}
SNR = {"train/snr_1", "train/snr_2"}
# What a program logs every 100 updates, beside EVERY_100.
IGNITE = {
    "02_pong_dqn_basic": EPSILON,
    "03_pong_dqn_n_step": EPSILON,
    "04_pong_dqn_double": EPSILON | HEADS,
    "05_pong_dqn_noisy": SNR,
    "06_pong_dqn_prioritized": EPSILON | {"train/beta"},
    "07_pong_dqn_dueling": EPSILON | HEADS,
    "08_pong_dqn_categorical": EPSILON,
    "09_pong_rainbow": SNR | HEADS | {"train/snr_3", "train/snr_4", "train/beta"},
}
A2C_LOSSES = {"loss_entropy", "loss_policy", "loss_value", "loss_total"}
A2C = {"advantage", "values", "batch_rewards", "grad_l2", "grad_max", "grad_var"} | A2C_LOSSES
INITIAL, UPDATES, SYNC_EVERY = 50, 100, 40
SMALL = ("--initial", str(INITIAL), "--iterations", str(UPDATES), "--batch-size", "2")


class Run:
    """A program after its run: its global names, its only TensorBoard folder, what it printed."""

    def __init__(self, names, folder, printed):
        self.names, self.printed = names, printed
        events = EventAccumulator(str(folder))
        events.Reload()
        self.images = set(events.Tags()["images"])
        self.scalars = {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }
        for points in self.scalars.values():
            assert all(math.isfinite(value) for _, value in points)

    def last(self, tag):
        return self.scalars[tag][-1][1]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a program of the book in this process."""
    monkeypatch.syspath_prepend(str(BOOK))
    monkeypatch.delitem(sys.modules, "common", raising=False)
    import common

    presets = {
        name: replace(preset, config=replace(preset.config, sync_every=SYNC_EVERY))
        for name, preset in PRESETS.items()
    }
    monkeypatch.setattr(common, "PRESETS", presets)
    monkeypatch.setattr(common, "HELD_OUT_STATES", 8)  # a thousand take seconds

    def run(name, *flags):
        runs = tmp_path / "logs"
        arguments = ["--device", "cpu", "--runs", str(runs), "--test-episodes", "0", *flags]
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        names = runpy.run_path(str(BOOK / f"{name}.py"), run_name="__main__")
        (folder,) = runs.iterdir()
        printed = capsys.readouterr().out
        assert f"TensorBoard log in {folder}" in printed
        return Run(names, folder, printed)

    yield run
    del sys.modules["common"]


@pytest.fixture
def calls(monkeypatch):
    """What the program called: syncs, draws of noise per network, losses, new priorities."""
    seen = {"syncs": 0, "noise": Counter(), "losses": [], "priorities": []}

    def spy(owner, name, note):
        original = getattr(owner, name)

        def noted(*args, **kwargs):
            result = original(*args, **kwargs)
            note(args, kwargs, result)
            return result

        monkeypatch.setattr(owner, name, noted)

    def note_loss(args, kwargs, result):
        seen["losses"].append((args[0], kwargs, result.priorities.numpy().copy()))

    spy(ptan.agent.TargetNet, "sync", lambda *call: seen.update(syncs=seen["syncs"] + 1))
    spy(ptan.nn.NoisyLinear, "resample_noise", lambda a, k, r: seen["noise"].update([id(a[0])]))
    spy(ptan.losses, "dqn_loss", note_loss)
    spy(ptan.losses, "categorical_loss", note_loss)
    spy(
        ptan.experience.PrioritizedReplayBuffer,
        "update_priorities",
        lambda args, kwargs, result: seen["priorities"].append(args[1:]),
    )
    return seen


def check_rows(done, gamma, n_steps):
    """The buffer's rows span n steps of undiscounted -1, 0, 1, and know their discount."""
    buffer = done.names["buffer"]
    assert len(buffer) == INITIAL + UPDATES
    row = next(iter(buffer))
    assert row.state.shape == (4, 84, 84)
    assert row.steps == n_steps
    assert row.discount == pytest.approx(gamma**n_steps)


def check_noise(done, calls, acting_steps):
    """Each layer drew once per acting step and once per update; the target's, per update."""
    selector = done.names["agent"].action_selector
    assert isinstance(selector, ptan.actions.ArgmaxActionSelector)  # no ε beside the noise
    target = done.names["target_net"]
    for net, draws in ((target.model, acting_steps + UPDATES), (target.target_model, UPDATES)):
        layers = list(net.noisy_layers)
        assert layers
        assert [calls["noise"][id(layer)] for layer in layers] == [draws] * len(layers)


def check_priorities(done, calls):
    """Losses are weighted, priorities are the errors without weights, and β rises."""
    assert len(calls["priorities"]) == UPDATES
    for (batch, _, errors), (indices, priorities) in zip(
        calls["losses"], calls["priorities"], strict=True
    ):
        assert isinstance(batch.weights, torch.Tensor)
        np.testing.assert_array_equal(indices, batch.indices.numpy())
        np.testing.assert_array_equal(priorities, errors)
    assert done.names["buffer"].alpha == 0.6
    assert done.last("train/beta") == pytest.approx(0.4 + 0.6 * UPDATES / 100_000)


@pytest.mark.atari
@pytest.mark.parametrize("name", IGNITE)
def test_a_dqn_logs_what_its_chapter_is_about_and_learns_by_the_rules(name, run, calls):
    done = run(name, *SMALL)
    assert set(done.scalars) == EVERY_100 | IGNITE[name]
    assert {step for points in done.scalars.values() for step, _ in points} == {UPDATES}
    assert done.images == {f"distributions/state_{i}" for i in range(4) if "categorical" in name}
    assert calls["syncs"] == UPDATES // SYNC_EVERY
    assert len(calls["losses"]) == UPDATES
    check_rows(done, gamma=0.99, n_steps=4 if "n_step" in name or "rainbow" in name else 1)
    if "train/epsilon" in done.scalars:
        # A straight line from 1 at the end of the warm-up to 0.02 after 100,000 steps.
        assert done.last("train/epsilon") == pytest.approx(1 - 0.98 * UPDATES / 100_000)
    (double,) = {kwargs.get("double", False) for _, kwargs, _ in calls["losses"]}
    assert double == ("double" in name)
    if "train/beta" in done.scalars:
        check_priorities(done, calls)
    if "train/snr_1" in done.scalars:
        check_noise(done, calls, INITIAL + UPDATES + (3 if "rainbow" in name else 0))


@pytest.mark.atari
def test_the_full_rainbow_has_all_six_extensions(run, calls):
    done = run("09_pong_rainbow", "--preset", "rainbow-full", *SMALL)
    assert done.names["net"].distributional
    assert {kwargs["double"] for _, kwargs, _ in calls["losses"]} == {True}
    # A double target asks the online network once more: still one draw of noise per update.
    check_noise(done, calls, INITIAL + UPDATES + 3)
    check_priorities(done, calls)


@pytest.mark.atari
def test_a_dqn_stops_when_the_mean_reward_is_reached(run):
    flags = ("--initial", "750", "--iterations", "900", "--batch-size", "1")
    done = run("02_pong_dqn_basic", *flags, "--stop-reward", "-22")
    assert done.names["engine"].state.iteration < 900
    assert re.search(r"^Environment solved after 1 episodes", done.printed, re.M)
    assert set(done.scalars) >= {"episodes/reward", "episodes/steps", "episodes/avg_reward"}
    assert -21 <= done.last("episodes/reward") < 0


@pytest.mark.atari
def test_a2c_logs_its_losses_and_gradients_every_ten_updates(run):
    done = run("10_pong_a2c", "--iterations", "20", "--batch-size", "4")
    assert set(done.scalars) == A2C
    assert {tuple(step for step, _ in points) for points in done.scalars.values()} == {(40, 80)}
    parts = [done.last(f"loss_{part}") for part in ("policy", "value", "entropy")]
    assert done.last("loss_total") == pytest.approx(sum(parts), rel=1e-4)
    assert done.last("advantage") == pytest.approx(
        done.last("batch_rewards") - done.last("values"), abs=1e-5
    )
    # Six actions, hardly any learning yet: the entropy is near its maximum, ln 6.
    assert done.last("loss_entropy") == pytest.approx(-0.03 * math.log(6), rel=0.05)
    assert 0 < done.last("grad_l2") <= done.last("grad_max")
    assert done.names["source"].steps_count == 4
    assert done.names["env"].num_envs == 50


def test_cartpole_logs_every_hundred_updates(run, calls):
    done = run("01_cartpole_dqn", "--iterations", "200", "--stop-reward", "1000")
    assert set(done.scalars) == {"train/loss", "train/epsilon", "episodes/reward", "episodes/steps"}
    assert done.scalars["train/epsilon"] == [
        (step, pytest.approx(0.99**step, rel=1e-5)) for step in (100, 200)
    ]
    assert done.scalars["episodes/reward"] == done.scalars["episodes/steps"]
    assert calls["syncs"] == 200 // SYNC_EVERY
    assert len(done.names["buffer"]) == 32 + 200
    assert next(iter(done.names["buffer"])).discount == pytest.approx(0.9)


def test_cartpole_stops_after_a_good_episode_and_tests_the_final_network(run):
    flags = ("--iterations", "3000", "--stop-reward", "25", "--test-episodes", "2")
    done = run("01_cartpole_dqn", *flags)
    rewards = [value for _, value in done.scalars["episodes/reward"]]
    assert rewards[-1] > 25 >= max([0, *rewards[:-1]])
    greedy = r"^The final network, greedy: mean reward [\d.]+, 2 episodes$"
    assert re.search(greedy, done.printed, re.M)


def test_a_program_runs_from_any_folder_and_explains_its_flags(tmp_path):
    result = subprocess.run(
        [sys.executable, str(BOOK / "09_pong_rainbow.py"), "--help"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for flag in ("--seed", "--device", "--iterations", "--stop-reward", "rainbow-full"):
        assert flag in result.stdout


def test_programs_are_short_and_in_the_index():
    assert {path.stem for path in PROGRAMS} > set(IGNITE)
    for path in PROGRAMS:
        assert len(path.read_text("utf-8").splitlines()) < 90, path.name
    page = (BOOK / "README.md").read_text("utf-8")
    assert set(re.findall(r"\((\d\d_\w+\.py)\)", page)) == {path.name for path in PROGRAMS}
