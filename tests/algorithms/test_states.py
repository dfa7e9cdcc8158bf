"""States of algorithms that went through files, and states that do not fit."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from ptan.algorithms import DQN, DQNConfig
from ptan.algorithms.states import optimizer
from ptan.experience import Batch, ExperienceFirstLast
from ptan.training.checkpoint import load_tree, save_tree

IMAGES = spaces.Box(0, 255, (4, 36, 36), np.uint8)
CONFIG = DQNConfig(batch_size=4, hidden=16, dueling=True, channels_last=True)


def make(**changes) -> DQN:
    return DQN(IMAGES, spaces.Discrete(3), dataclasses.replace(CONFIG, **changes))


def batch_of(seed: int) -> Batch:
    rng = np.random.default_rng(seed)

    def image() -> np.ndarray:
        return rng.integers(0, 256, IMAGES.shape, np.uint8)

    rows = [
        ExperienceFirstLast(image(), int(rng.integers(3)), float(rng.normal()), image())
        for _ in range(4)
    ]
    return Batch.from_rows(rows, gamma=0.99)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_a_run_with_images_goes_on_from_a_file_like_the_uncut_one(
    channels_last: bool, mixed_precision: bool, tmp_path
) -> None:
    uncut, resumed = (
        make(channels_last=channels_last, mixed_precision=mixed_precision) for _ in range(2)
    )
    for seed in range(3):
        uncut.update(batch_of(seed))
    save_tree(tmp_path / "state", uncut.state_dict())
    resumed.load_state_dict(load_tree(tmp_path / "state"))
    for seed in range(3, 6):
        uncut.update(batch_of(seed))
        resumed.update(batch_of(seed))
        for a, b in zip(uncut.net.parameters(), resumed.net.parameters(), strict=True):
            assert torch.equal(a, b)


def test_moments_are_ordered_in_memory_as_their_weights_are() -> None:
    algorithm = make()
    algorithm.update(batch_of(0))
    state = copy.deepcopy(algorithm.optimizers["q"].optimizer.state_dict())
    plain = copy.deepcopy(state)
    for entries in plain["state"].values():
        for name in ("exp_avg", "exp_avg_sq"):
            entries[name] = entries[name].contiguous()
    optimizer(algorithm.optimizers["q"].optimizer).prepare("state", plain)()
    fitted = algorithm.optimizers["q"].optimizer.state_dict()
    parameters = list(algorithm.net.parameters())
    assert any(not p.is_contiguous() for p in parameters)
    for i, parameter in enumerate(parameters):
        for name in ("exp_avg", "exp_avg_sq"):
            assert fitted["state"][i][name].stride() == parameter.stride()
            assert torch.equal(fitted["state"][i][name], state["state"][i][name])


def test_layers_without_gradients_have_no_moments_and_are_no_obstacle(tmp_path) -> None:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Conv2d(4, 2, 8, 8), nn.Linear(3, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.used(images.float()).flatten(1)

    uncut, resumed = (DQN(IMAGES, spaces.Discrete(3), CONFIG, body=Body()) for _ in range(2))
    resumed.net.load_state_dict(uncut.net.state_dict())
    uncut.update(batch_of(0))
    save_tree(tmp_path / "state", uncut.state_dict())
    resumed.load_state_dict(load_tree(tmp_path / "state"))
    uncut.update(batch_of(1))
    resumed.update(batch_of(1))
    for a, b in zip(uncut.net.parameters(), resumed.net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_settings_that_an_older_pytorch_did_not_have_are_filled_in() -> None:
    source, algorithm = make(), make()
    source.update(batch_of(0))
    state = copy.deepcopy(source.state_dict())
    del state["optimizer"]["param_groups"][0]["maximize"]
    algorithm.load_state_dict(state)
    algorithm.update(batch_of(1))
    assert algorithm.optimizers["q"].optimizer.param_groups[0]["maximize"] is False


def damage_noise(state: dict) -> None:
    state["noise_rng"]["state"] = state["noise_rng"]["state"][:10]


def drop_noise(state: dict) -> None:
    state["noise_rng"] = None


def damage_selector(state: dict) -> None:
    del state["selector_rng"]["state"]


def drop_selector(state: dict) -> None:
    state["selector_rng"] = 3


def damage_moments(state: dict) -> None:
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(3)


def too_many_moments(state: dict) -> None:
    state["optimizer"]["state"][99] = state["optimizer"]["state"][0]


def numbers_for_moments(state: dict) -> None:
    state["optimizer"]["state"][0]["exp_avg"] = 0.5


def other_parameters(state: dict) -> None:
    state["optimizer"]["param_groups"][0]["params"] = [0, 1]


def no_optimizer(state: dict) -> None:
    state["optimizer"] = None


def numbers_for_weights(state: dict) -> None:
    state["net"] = dict.fromkeys(state["net"], 1.0)


@pytest.mark.parametrize(
    "damage",
    [
        damage_noise,
        drop_noise,
        damage_selector,
        drop_selector,
        damage_moments,
        too_many_moments,
        numbers_for_moments,
        other_parameters,
        no_optimizer,
        numbers_for_weights,
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage) -> None:
    source, algorithm = make(), make(seed=5)
    source.update(batch_of(0))
    source.on_steps(7)
    algorithm.update(batch_of(1))
    state = copy.deepcopy(source.state_dict())
    damage(state)
    before = copy.deepcopy(algorithm.state_dict())
    with pytest.raises(ValueError, match="state"):
        algorithm.load_state_dict(state)
    after = algorithm.state_dict()
    assert (after["env_steps"], after["updates"]) == (before["env_steps"], before["updates"])
    assert after["selector_rng"] == before["selector_rng"]
    assert torch.equal(after["noise_rng"]["state"], before["noise_rng"]["state"])
    for name in ("net", "target"):
        assert all(torch.equal(after[name][key], before[name][key]) for key in before[name])
    for i, entries in before["optimizer"]["state"].items():
        for name, value in entries.items():
            assert torch.equal(after["optimizer"]["state"][i][name], value)
