"""Losses of values: hand-computed numbers, a float64 reference, gradients."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ptan.agent import TargetNet
from ptan.experience import Batch, ExperienceFirstLast, PrioritizedReplayBuffer
from ptan.losses import (
    Loss,
    ShapeError,
    clipped_value_loss,
    dqn_loss,
    mean_state_value,
    value_loss,
)

from . import oracles
from .fakes import CategoricalTable, Table, random_rows, row, tensors

Q = [[1.0, 2.0], [5.0, 3.0], [0.0, -1.0]]
TARGET_Q = [[0.5, 1.5], [4.0, 6.0], [-2.0, 7.0]]


def test_hand_computed() -> None:
    rows = [
        row(0, 0, 1.0, 1),  # y = 1 + 0.9 · 6 = 6.4, Q = 1
        row(1, 1, 2.0, None),  # y = 2, Q = 3
        row(2, 0, -1.0, 0, steps=2),  # y = −1 + 0.81 · 1.5 = 0.215, Q = 0
    ]
    loss = dqn_loss(tensors(rows), Table(Q), Table(TARGET_Q))
    assert isinstance(loss, Loss)
    assert loss.priorities.tolist() == pytest.approx([5.4, 1.0, 0.215], abs=1e-6)
    assert loss.value.item() == pytest.approx((5.4**2 + 1.0 + 0.215**2) / 3, rel=1e-6)


def test_double_takes_the_action_of_the_net_and_the_value_of_the_target() -> None:
    # argmax_a Q(1, a) = 0, whose target value is 4: y = 1 + 0.9 · 4 = 4.6.
    loss = dqn_loss(tensors([row(0, 0, 1.0, 1)]), Table(Q), Table(TARGET_Q), double=True)
    assert loss.priorities.tolist() == pytest.approx([3.6], abs=1e-6)


def test_a_truncated_row_bootstraps_from_its_final_observation() -> None:
    rows = [row(0, 0, 1.0, 2, truncated=True)]
    loss = dqn_loss(tensors(rows), Table(Q), Table(TARGET_Q))
    assert loss.priorities.tolist() == pytest.approx([1 + 0.9 * 7 - 1], abs=1e-6)


def test_a_terminal_row_bootstraps_from_nothing() -> None:
    target = Table([[1e6, 1e6]] * 3)
    loss = dqn_loss(tensors([row(0, 1, 5.0, None, steps=3)]), Table(Q), target)
    assert loss.priorities.tolist() == pytest.approx([3.0])


def test_weights_scale_value_and_gradient_but_not_priorities() -> None:
    rows = [row(0, 0, 1.0, 1), row(1, 1, 2.0, None)]
    net = Table(Q)
    loss = dqn_loss(tensors(rows, [0.5, 0.25]), net, Table(TARGET_Q))
    loss.value.backward()
    assert loss.priorities.tolist() == pytest.approx([5.4, 1.0], abs=1e-6)
    assert loss.value.item() == pytest.approx((0.5 * 5.4**2 + 0.25) / 2, rel=1e-6)
    expected = [[-0.5 * 5.4, 0.0], [0.0, 0.25], [0.0, 0.0]]
    assert net.entries.grad.numpy() == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_reference(seed: int, weighted: bool, double: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 40, n_states=6, n_actions=3)
    q, target_q = rng.normal(size=(2, 6, 3))
    weights = rng.uniform(0.1, 1.0, size=40).astype(np.float32) if weighted else None
    net = Table(q, torch.float64)
    batch = tensors(rows, weights)
    loss = dqn_loss(batch, net, Table(target_q, torch.float64), double=double)
    loss.value.backward()
    value, priorities, gradient = oracles.dqn(rows, q, target_q, weights, double)
    # Rewards and discounts are float32 columns.
    assert loss.value.item() == pytest.approx(value, rel=1e-6)
    assert loss.priorities.numpy() == pytest.approx(priorities, rel=1e-5, abs=1e-6)
    assert net.entries.grad.numpy() == pytest.approx(gradient, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("double", [False, True])
def test_gradients_are_those_of_finite_differences(double: bool) -> None:
    rng = np.random.default_rng(3)
    batch = tensors(random_rows(rng, 12, 4, 3), rng.uniform(0.1, 1, size=12))
    target = Table(rng.normal(size=(4, 3)), torch.float64)

    def value(entries):
        return dqn_loss(batch, lambda states: entries[states], target, double=double).value

    entries = torch.tensor(rng.normal(size=(4, 3)), requires_grad=True)
    assert torch.autograd.gradcheck(value, (entries,))


@pytest.mark.parametrize("double", [False, True])
def test_the_target_gets_no_gradient_and_no_forward_is_needless(double: bool) -> None:
    net, target = Table(Q), Table(TARGET_Q)
    loss = dqn_loss(tensors([row(0, 0, 1.0, 1)]), net, target, double=double)
    loss.value.backward()
    assert target.entries.grad is None
    assert target.calls == [False]
    assert net.calls == ([False, True] if double else [True])
    assert not loss.priorities.requires_grad


@pytest.mark.parametrize("double", [False, True])
def test_a_target_net_is_as_good_as_a_module(double: bool) -> None:
    net = Table(Q)
    target = TargetNet(net)
    with torch.no_grad():
        net.entries += 1.0
    rows = [row(0, 0, 1.0, 1), row(2, 1, 0.0, 0)]
    loss = dqn_loss(tensors(rows), net, target, double=double)
    same = dqn_loss(tensors(rows), net, target.target_model, double=double)
    assert torch.equal(loss.value, same.value)
    loss.value.backward()
    assert target.target_model.entries.grad is None


class Noisy(Table):
    """Draws new noise into a buffer at every pass, as noisy layers do."""

    def __init__(self, entries) -> None:
        super().__init__(entries)
        self.noise: torch.Tensor
        self.register_buffer("noise", torch.ones(self.entries.shape))
        self.generator = torch.Generator().manual_seed(1)

    def forward(self, states):
        self.noise.normal_(generator=self.generator)
        return (self.entries * self.noise)[states]


@pytest.mark.parametrize("double", [False, True])
def test_a_net_that_redraws_noise_in_place_can_be_trained(double: bool) -> None:
    net = Noisy(Q)
    dqn_loss(tensors([row(0, 0, 1.0, 1)]), net, Table(TARGET_Q), double=double).value.backward()
    assert net.entries.grad[0, 0] != 0


def test_priorities_are_what_a_prioritized_buffer_takes() -> None:
    """Also where the error is exactly 0, which a buffer refuses as a priority."""
    buffer = PrioritizedReplayBuffer(None, 10, alpha=0.6, rng=0)
    buffer.extend([row(0, 0, 1.0, None), row(1, 1, 0.0, 2)])
    batch, indices, weights = buffer.sample(20, beta=0.4)
    loss = dqn_loss(batch.to("cpu"), Table(Q), Table(TARGET_Q))
    buffer.update_priorities(indices, loss.priorities)
    errors = {0: 0.0, 1: 0.9 * 7 - 3}
    expected = [errors[state] for state in batch.states]
    assert loss.priorities.tolist() == pytest.approx(expected, abs=1e-6)
    assert (loss.priorities > 0).all()
    assert loss.value.item() == pytest.approx(np.mean(weights * np.square(expected)), rel=1e-5)


class Wrong(nn.Module):
    """Whatever it is asked, the answer has this shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.zeros(shape))

    def forward(self, states):
        return self.answer


ROWS = [row(0, 0, 1.0, 1), row(1, 1, 2.0, None), row(2, 0, 0.0, 1)]


@pytest.mark.parametrize("shape", [(3,), (3, 1, 2), (1, 2), (4, 2), (3, 0)])
def test_values_of_a_wrong_shape_raise(shape: tuple[int, ...]) -> None:
    good = Wrong(3, 2)
    dqn_loss(tensors(ROWS), good, good)
    with pytest.raises(ShapeError, match=r"^net\(states\) must have shape \(3, actions\), got"):
        dqn_loss(tensors(ROWS), Wrong(*shape), good)
    with pytest.raises(ShapeError, match=r"^target_net\(last_states\) must have shape"):
        dqn_loss(tensors(ROWS), good, Wrong(*shape))


def test_both_nets_have_the_same_actions() -> None:
    with pytest.raises(ShapeError, match=r"^net\(states\) must have shape \(3, 2\), got \(3, 4\)"):
        dqn_loss(tensors(ROWS), Wrong(3, 4), Wrong(3, 2))
    with pytest.raises(ShapeError, match=r"^net\(last_states\) must have shape \(3, 2\), got"):
        dqn_loss(tensors(ROWS), Wrong(3, 4), Wrong(3, 2), double=True)


def test_a_distributional_net_raises() -> None:
    with pytest.raises(ShapeError, match="actions"):
        dqn_loss(tensors(ROWS), Table(Q), CategoricalTable(np.zeros((3, 2, 5)), np.arange(5)))


def test_vector_rewards_raise() -> None:
    rows = [ExperienceFirstLast(0, 0, np.zeros(2, np.float32), 1, discount=0.9)]
    with pytest.raises(ShapeError, match=r"^batch\.rewards must have shape \(1,\), got \(1, 2\)"):
        dqn_loss(tensors(rows), Table(Q), Table(TARGET_Q))


def test_columns_of_weights_raise() -> None:
    batch = tensors(ROWS)
    batch.weights = torch.ones(3, 1)
    with pytest.raises(ShapeError, match=r"^batch\.weights must have shape \(3,\), got \(3, 1\)"):
        dqn_loss(batch, Table(Q), Table(TARGET_Q))


def test_actions_must_be_one_integer_per_row() -> None:
    rows = [ExperienceFirstLast(0, np.array([1]), 0.0, 1, discount=0.9)]
    with pytest.raises(ShapeError, match=r"^actions must have shape \(1,\), got \(1, 1\)"):
        dqn_loss(tensors(rows), Table(Q), Table(TARGET_Q))
    rows = [ExperienceFirstLast(0, 0.5, 0.0, 1, discount=0.9)]
    with pytest.raises(TypeError, match=r"actions must be integers, got torch\.float"):
        dqn_loss(tensors(rows), Table(Q), Table(TARGET_Q))


@pytest.mark.parametrize(("action", "row_number"), [(2, 1), (-1, 0)])
def test_an_action_out_of_range_is_named(action: int, row_number: int) -> None:
    rows = [row(0, 1, 1.0, 1), row(1, 0, 2.0, None)]
    rows[row_number] = rows[row_number]._replace(action=action)
    with pytest.raises(
        ValueError, match=rf"^actions must be in \[0, 2\), got {action} in row {row_number}$"
    ):
        dqn_loss(tensors(rows), Table(Q), Table(TARGET_Q))


def test_a_batch_of_arrays_names_the_missing_call() -> None:
    with pytest.raises(TypeError, match=r"NumPy arrays: call batch\.to\(device\)"):
        dqn_loss(Batch.from_rows(ROWS), Table(Q), Table(TARGET_Q))
    for other in (ROWS, [], None):
        with pytest.raises(TypeError, match=r"batch must be a ptan\.experience\.Batch"):
            dqn_loss(other, Table(Q), Table(TARGET_Q))


def test_rows_without_a_discount_raise() -> None:
    batch = Batch.from_rows([ExperienceFirstLast(0, 0, 1.0, 1)]).to("cpu")
    with pytest.raises(ValueError, match="gamma"):
        dqn_loss(batch, Table(Q), Table(TARGET_Q))


def test_value_loss_by_hand() -> None:
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    targets = torch.tensor([2.0, 5.0], requires_grad=True)
    loss = value_loss(values, targets)
    loss.backward()
    assert loss.item() == 5.0
    assert values.grad.tolist() == [-1.0, -3.0]
    assert targets.grad is None


def test_clipped_value_loss_by_hand() -> None:
    """Beyond the clip an improvement earns no gradient; a change for the worse still does."""
    old = torch.tensor([1.0, 1.0, 1.0, 1.0], requires_grad=True)
    values = torch.tensor([1.1, 2.0, 2.0, 0.0], requires_grad=True)
    targets = torch.tensor([2.0, 3.0, 0.0, 1.1])
    loss = clipped_value_loss(values, old, targets, clip=0.5)
    loss.backward()
    # 0.9²; improved to 2, counts as 1.5: 1.5²; worse: 2²; too low: max(1.1², 0.6²).
    assert loss.item() == pytest.approx((0.81 + 2.25 + 4.0 + 1.21) / 4)
    assert values.grad.tolist() == pytest.approx([-1.8 / 4, 0.0, 4.0 / 4, -2.2 / 4])
    assert old.grad is None


@pytest.mark.parametrize("clip", [0.0, -0.1, math.nan, math.inf])
def test_a_clip_that_is_not_finite_and_above_zero_raises(clip: float) -> None:
    with pytest.raises(ValueError, match=r"clip must be finite and above 0, got"):
        clipped_value_loss(*torch.zeros(3, 2), clip=clip)


@pytest.mark.parametrize("shape", [(3, 1), (1, 3), (1,), (), (2,), (3, 3)])
def test_losses_of_values_broadcast_nothing(shape: tuple[int, ...]) -> None:
    wrong, right = torch.zeros(shape), torch.zeros(3)
    for loss, *arguments in (
        (value_loss, wrong, right),
        (value_loss, right, wrong),
        (clipped_value_loss, right, wrong, right),
        (clipped_value_loss, right, right, wrong),
    ):
        with pytest.raises(ShapeError, match="must have the shape of"):
            loss(*arguments)


def test_mean_state_value_is_the_mean_of_the_greatest_values() -> None:
    value = mean_state_value(np.array([0, 1, 2, 1]), Table(Q))
    assert isinstance(value, float)
    assert value == pytest.approx((2 + 5 + 0 + 5) / 4)


def test_mean_state_value_of_a_distribution_is_that_of_its_mean() -> None:
    logits = np.log([[[0.5, 0.5, 1e-9], [0.25, 0.25, 0.5]]])
    net = CategoricalTable(logits, [-1.0, 0.0, 2.0])
    for asked in (net, TargetNet(net), net.qvals):
        assert mean_state_value(np.zeros(3, np.int64), asked) == pytest.approx(0.75)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000])
def test_mean_state_value_counts_every_state_once(count: int) -> None:
    states = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    expected = pytest.approx(states.max(1).mean(dtype=np.float64), abs=1e-7)
    net = nn.Identity()
    assert mean_state_value(states, net) == expected
    assert mean_state_value(list(states), net) == expected
    assert mean_state_value(torch.from_numpy(states), net) == expected


def test_mean_state_value_of_nested_states() -> None:
    states = {"a": np.ones((300, 2), np.float32), "b": (np.full((300, 2), 2, np.uint8),)}

    def net(parts):
        assert parts["b"][0].dtype == torch.uint8
        return parts["a"] + parts["b"][0]

    assert mean_state_value(states, net) == 3.0


def test_mean_state_value_leaves_no_gradient_and_no_mode_behind() -> None:
    net = Table(Q).train()
    assert mean_state_value([0, 1], net) == pytest.approx(3.5)
    assert net.training
    assert net.calls == [False]
    assert torch.is_grad_enabled()


def test_mean_state_value_needs_states_and_values_per_action() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mean_state_value(np.zeros((0, 2), np.float32), nn.Identity())
    with pytest.raises(ShapeError, match=r"\(2, actions\), got \(2, 1, 5\)"):
        mean_state_value(np.zeros(2, np.int64), Table(np.zeros((3, 1, 5))))
