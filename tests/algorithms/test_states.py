"""States of algorithms that went through files, and states that do not fit."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from ptan.algorithms import DQN, DQNConfig
from ptan.experience import Batch, ExperienceFirstLast
from ptan.training.checkpoint import load_tree, save_tree
from training.state_trees import assert_same

IMAGES = spaces.Box(0, 255, (4, 36, 36), np.uint8)
SMALL = {"batch_size": 4, "hidden": 16, "warm_up": 0, "n_atoms": 5, "sync_every": 2}
PLAIN = DQNConfig(**SMALL)
ORDERED = DQNConfig(**SMALL, dueling=True, channels_last=True)


class Body(nn.Module):
    """Some of its weights get no gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Conv2d(4, 2, 8, 8), nn.Linear(3, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.used(images.float()).flatten(1)


def make(config: DQNConfig = PLAIN, **changes) -> DQN:
    return DQN(IMAGES, spaces.Discrete(3), config, **changes)


def images(seed: int, count: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *IMAGES.shape), np.uint8)


def learned(algorithm: DQN, seed: int) -> tuple[list, float]:
    """Actions, and the loss of an update after them."""
    actions, _ = algorithm.agent(images(seed))
    algorithm.on_steps(5)
    rows = [
        ExperienceFirstLast(state, i % 3, float(i), last)
        for i, (state, last) in enumerate(images(seed).reshape(4, 2, *IMAGES.shape))
    ]
    update = algorithm.update(Batch.from_rows(rows, gamma=0.99))
    return actions.tolist(), float(update.metrics["loss"])


@pytest.mark.parametrize(
    ("config", "body"),
    [
        (PLAIN, None),
        (PLAIN, Body),
        (DQNConfig.rainbow(**SMALL), None),
        (dataclasses.replace(PLAIN, eps_steps=30, learning_rate_final=1e-5), None),
        (ORDERED, None),
        (dataclasses.replace(ORDERED, mixed_precision=True), None),
    ],
    ids=["plain", "weights without gradients", "rainbow", "schedules", "ordered", "bfloat16"],
)
def test_a_loaded_run_goes_on_from_a_file_like_the_uncut_one(config, body, tmp_path) -> None:
    uncut, resumed = (make(config, body=body and body()) for _ in range(2))
    for seed in range(3):
        learned(uncut, seed)
    save_tree(tmp_path / "state", uncut.state_dict())
    resumed.load_state_dict(load_tree(tmp_path / "state"))
    assert (resumed.env_steps, resumed.updates, resumed.epsilon) == (15, 3, uncut.epsilon)
    rates = [one.optimizers["q"].optimizer.param_groups[0]["lr"] for one in (uncut, resumed)]
    assert rates[0] == rates[1]
    for seed in range(3, 6):
        assert learned(uncut, seed) == learned(resumed, seed)
    for a, b in zip(uncut.net.parameters(), resumed.net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_loaded_state_is_a_copy() -> None:
    first, second = make(), make()
    learned(first, 0)
    second.load_state_dict(first.state_dict())
    before = copy.deepcopy(first.state_dict())
    learned(second, 1)
    assert_same(first.state_dict(), before)


def test_settings_that_an_older_pytorch_did_not_have_are_filled_in() -> None:
    source, algorithm = make(), make()
    learned(source, 0)
    state = copy.deepcopy(source.state_dict())
    del state["optimizer"]["param_groups"][0]["maximize"]
    algorithm.load_state_dict(state)
    learned(algorithm, 1)
    assert algorithm.optimizers["q"].optimizer.param_groups[0]["maximize"] is False


def moments(state: dict) -> dict:
    return state["optimizer"]["state"]


DAMAGES = {
    "missing": lambda state: state.pop("updates"),
    "added": lambda state: state.update(extra=1),
    "count": lambda state: state.update(env_steps=-3),
    "shapes": lambda state: state.update(target={k: v[:1] for k, v in state["target"].items()}),
    "numbers for weights": lambda state: state.update(net=dict.fromkeys(state["net"], 1.0)),
    "no optimizer": lambda state: state.update(optimizer=None),
    "parameters": lambda state: state["optimizer"]["param_groups"][0].update(params=[0, 1]),
    "moments": lambda state: moments(state)[0].update(exp_avg=torch.zeros(3)),
    "numbers for moments": lambda state: moments(state)[0].update(exp_avg=0.5),
    "too many moments": lambda state: moments(state).update({99: moments(state)[0]}),
    "noise": lambda state: state["noise_rng"].update(state=state["noise_rng"]["state"][:10]),
    "no noise": lambda state: state.update(noise_rng=None),
    "selector": lambda state: state["selector_rng"].pop("state"),
    "no selector": lambda state: state.update(selector_rng=3),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused_and_changes_nothing(damage) -> None:
    source, algorithm = make(), make(dataclasses.replace(PLAIN, seed=5))
    learned(source, 0)
    learned(algorithm, 1)
    state = copy.deepcopy(source.state_dict())
    DAMAGES[damage](state)
    before = copy.deepcopy(algorithm.state_dict())
    with pytest.raises(ValueError, match="state") as caught:
        algorithm.load_state_dict(state)
    assert "\n" not in str(caught.value)
    assert_same(algorithm.state_dict(), before)
