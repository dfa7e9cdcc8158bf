"""Mixed precision and memory order: they change speed, and numbers by rounding alone."""

import dataclasses

import numpy as np
import pytest
import torch

from ptan.algorithms import DQN, DQNConfig
from ptan.experience import Batch, ExperienceFirstLast


@pytest.fixture(autouse=True)
def a_processor_with_bfloat16(monkeypatch):
    monkeypatch.setattr("ptan.algorithms.dqn.computes_in_bfloat16", lambda device: True)


SHAPE, N_ACTIONS = (2, 40, 40), 3
PLAIN = DQNConfig(warm_up=0, hidden=16, seed=5, dueling=True, double=True, learning_rate=1e-3)


def random_batch(n_rows: int = 8) -> Batch:
    """Rows of random images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n_rows, 2, *SHAPE), np.uint8)
    rows = [
        ExperienceFirstLast(state, int(rng.integers(N_ACTIONS)), float(rng.normal()), last_state)
        for state, last_state in images
    ]
    return Batch.from_rows(rows, gamma=0.9)


def trained(config: DQNConfig) -> tuple[DQN, list[float]]:
    """An algorithm after some updates, and its losses."""
    algorithm = DQN(SHAPE, N_ACTIONS, config)
    losses = [float(algorithm.update(random_batch()).metrics["loss"]) for _ in range(5)]
    return algorithm, losses


def conv_weight(algorithm: DQN) -> torch.Tensor:
    """The first convolution's."""
    return algorithm.net.conv[0].weight


def test_channels_last_changes_the_order_in_memory_and_no_more():
    plain, losses = trained(PLAIN)
    ordered, their_losses = trained(dataclasses.replace(PLAIN, channels_last=True))
    for weight in (conv_weight(ordered), ordered.target.target_model.conv[0].weight):
        assert weight.is_contiguous(memory_format=torch.channels_last)
        assert not weight.is_contiguous()
    assert their_losses == pytest.approx(losses, rel=1e-4)
    torch.testing.assert_close(conv_weight(ordered), conv_weight(plain), rtol=1e-3, atol=1e-5)


def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32():
    _, losses = trained(PLAIN)
    mixed, their_losses = trained(dataclasses.replace(PLAIN, mixed_precision=True))
    seen = []
    mixed.net.conv[0].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    mixed.update(random_batch())
    values = mixed.agent.model(torch.as_tensor(random_batch().states))
    assert seen == [torch.bfloat16] * 3  # choosing the next action, learning, and acting
    assert values.dtype == torch.float32
    for parameter in mixed.net.parameters():
        assert parameter.dtype == parameter.grad.dtype == torch.float32
    assert their_losses != losses
    assert their_losses == pytest.approx(losses, rel=0.05)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("distributional", [False, True])
def test_actions_of_nearly_equal_values_stay_apart(dueling, distributional):
    """Near 100, neighbours in bfloat16 are half a unit apart."""
    switches = {"dueling": dueling, "distributional": distributional, "v_min": 99.0, "v_max": 101.0}
    mixed, plain = (
        DQN(SHAPE, N_ACTIONS, dataclasses.replace(PLAIN, mixed_precision=on, **switches))
        for on in (True, False)
    )
    if not distributional:
        head = plain.net.fc_val if dueling else plain.net.fc
        with torch.no_grad():
            head[-1].bias += 100.0
        mixed.net.load_state_dict(plain.net.state_dict())
    states = torch.as_tensor(random_batch().states)
    with torch.no_grad():
        ours, exact = (algorithm.agent.model(states) for algorithm in (mixed, plain))
    assert exact.mean() == pytest.approx(100.0, abs=1.0)
    spread = exact.amax(1) - exact.amin(1)
    assert (spread < 0.5).all()
    # Relative to the best action: what bfloat16 has left in the layers before.
    gaps, exact_gaps = ours - ours.amax(1, keepdim=True), exact - exact.amax(1, keepdim=True)
    assert ((gaps - exact_gaps).abs().amax(1) < 0.15 * spread).all()


def test_where_the_device_only_imitates_bfloat16_float32_is_used(monkeypatch):
    monkeypatch.setattr("ptan.algorithms.dqn.computes_in_bfloat16", lambda device: False)
    algorithm, losses = trained(dataclasses.replace(PLAIN, mixed_precision=True))
    assert not algorithm.mixed_precision
    assert losses == trained(PLAIN)[1]


def test_bytes_lose_nothing_on_their_way_into_bfloat16():
    net = DQN(SHAPE, N_ACTIONS, PLAIN).net
    every_byte = torch.arange(2 * 40 * 40, dtype=torch.int64).remainder(256).to(torch.uint8)
    images = every_byte.view(1, *SHAPE)
    with torch.autocast("cpu", torch.bfloat16):
        scaled = net._scaled(images)
    assert scaled.dtype == torch.bfloat16
    assert torch.equal(scaled.double() * 256, images.double())


@pytest.mark.parametrize("switch", ["noisy", "prioritized", "distributional"])
def test_mixed_precision_goes_with_every_switch(switch):
    config = dataclasses.replace(PLAIN, mixed_precision=True, channels_last=True, **{switch: True})
    _, losses = trained(config)
    assert np.isfinite(losses).all()
