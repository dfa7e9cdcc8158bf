"""What holds for all losses of networks: autocast, no waiting for the device, purity, targets."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ptan.agent import TargetNet
from ptan.experience import Batch
from ptan.losses import (
    ShapeError,
    a2c_loss,
    categorical_loss,
    ddpg_critic_loss,
    ddpg_policy_loss,
    dqn_loss,
    sac_critic_loss,
    sac_policy_loss,
    tanh_gaussian,
)

from .fakes import row, tensors

N_ROWS, N_ACTIONS, N_ATOMS = 16, 3, 11


class Net(nn.Module):
    """A layer, and what is made of its output."""

    def __init__(self, n_inputs: int, n_outputs: int, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.out = nn.Linear(n_inputs, n_outputs)
        self.make = make
        self.register_buffer("supports", torch.linspace(-2, 2, N_ATOMS))

    def forward(self, *inputs: Tensor) -> Any:
        return self.make(self.out(torch.cat(inputs, 1)))


def squashed(output: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_std = output.chunk(2, 1)
    return tanh_gaussian(mean, log_std, torch.zeros_like(mean))


def q_net() -> Net:
    return Net(4, N_ACTIONS, lambda out: out)


def distribution() -> Net:
    return Net(4, N_ACTIONS * N_ATOMS, lambda out: out.view(-1, N_ACTIONS, N_ATOMS))


def actor_critic() -> Net:
    return Net(4, N_ACTIONS + 1, lambda out: (out[:, 1:], out[:, :1]))


def critic() -> Net:
    return Net(5, 1, lambda out: out)


def stochastic() -> Net:
    return Net(4, 2, squashed)


def deterministic() -> Net:
    return Net(4, 1, torch.tanh)


class Case(NamedTuple):
    """A loss of a batch and networks: the first is trained, the next `n_targets` are not."""

    nets: tuple[Callable[[], Net], ...]
    loss: Callable[..., Any]
    n_targets: int
    passes: int = 1  # forward passes of the trained network


CASES = {
    "dqn": Case((q_net, q_net), dqn_loss, 1),
    "double": Case((q_net, q_net), lambda *a: dqn_loss(*a, double=True), 1, 2),
    "categorical": Case((distribution, distribution), categorical_loss, 1),
    "categorical double": Case(
        (distribution, distribution), lambda *a: categorical_loss(*a, double=True), 1, 2
    ),
    "a2c": Case((actor_critic,), a2c_loss, 0, 2),
    "sac critics": Case(
        (critic, critic, critic, stochastic),
        lambda batch, net, *targets: sac_critic_loss(batch, [net], targets[:2], targets[2], 0.2),
        3,
    ),
    "sac policy": Case(
        (stochastic, critic, critic),
        lambda batch, net, *critics: sac_policy_loss(batch.states, critics, net, 0.2),
        0,
    ),
    "ddpg critic": Case((critic, critic, deterministic), ddpg_critic_loss, 2),
    "ddpg policy": Case(
        (deterministic, critic), lambda batch, net, q: ddpg_policy_loss(batch.states, q, net), 0
    ),
}
all_cases = pytest.mark.parametrize("name", CASES)
OF_BATCHES = [name for name in CASES if "policy" not in name]
DISCRETE = ["dqn", "double", "categorical", "a2c"]


def make(name: str) -> tuple[list[Net], Batch]:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(N_ROWS):
        state, after = rng.normal(size=(2, 4)).astype(np.float32)
        floats = rng.uniform(-1, 1, 1).astype(np.float32)
        action = floats if "sac" in name or "ddpg" in name else i % N_ACTIONS
        last = None if i % 4 == 0 else after
        rows.append(row(state, action, rng.normal(), last, steps=1 + i % 3, truncated=i % 4 == 1))
    weights = np.linspace(0.1, 1, N_ROWS)
    return [build() for build in CASES[name].nets], tensors(rows, weights)


def parts(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [t for part in result for t in parts(part)]


def loss_of(name: str, batch: Any, nets: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Scalars, to learn from, and columns (B,)."""
    tensors = parts(CASES[name].loss(batch, *nets))
    return [t for t in tensors if t.ndim == 0], [t for t in tensors if t.ndim > 0]


@all_cases
def test_under_autocast_only_the_networks_are_in_half_precision(name: str) -> None:
    nets, batch = make(name)
    exact = loss_of(name, batch, nets)
    seen = set()
    nets[0].out.register_forward_hook(lambda *a: seen.add(a[2].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = loss_of(name, batch, nets)
    assert seen == {torch.bfloat16}
    for value, reference in zip(rough[0] + rough[1], exact[0] + exact[1], strict=True):
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, reference, rtol=0.1, atol=0.05)
    # A forward pass without gradients came before: autocast must not reuse its weights.
    sum(rough[0]).backward()
    assert all(p.grad is not None and p.grad.any() for p in nets[0].parameters())


@all_cases
def test_nothing_waits_for_the_device(name: str) -> None:
    """Tensors of the meta device hold no numbers: `item`, `bool`, `tolist` and their like raise."""
    nets, batch = make(name)
    on_meta = batch.to("meta")
    on_meta.weights = batch.weights.to("meta")
    scalars, _ = loss_of(name, on_meta, [net.to("meta") for net in nets])
    sum(scalars).backward()


@all_cases
def test_losses_change_neither_batch_nor_networks(name: str) -> None:
    nets, batch = make(name)
    columns = ("states", "actions", "rewards", "discounts", "last_states", "dones", "weights")
    before = {column: getattr(batch, column).clone() for column in columns}
    weights = [{k: v.clone() for k, v in net.state_dict().items()} for net in nets]
    nets[0].eval()
    modes = [net.training for net in nets]
    first, again = loss_of(name, batch, nets), loss_of(name, batch, nets)
    assert all(torch.equal(a, b) for a, b in zip(first[0], again[0], strict=True))
    assert all(scalar.requires_grad for scalar in first[0])
    assert not any(column.requires_grad for column in first[1])
    assert {column.shape for column in first[1]} <= {(N_ROWS,)}
    assert all(torch.equal(getattr(batch, column), old) for column, old in before.items())
    for net, old in zip(nets, weights, strict=True):
        assert all(torch.equal(value, old[key]) for key, value in net.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert [net.training for net in nets] == modes
    assert torch.is_grad_enabled()


@all_cases
def test_targets_may_be_target_nets_get_no_gradient_and_no_pass_is_needless(name: str) -> None:
    nets, batch = make(name)
    case = CASES[name]
    split = 1 + case.n_targets
    targets = nets[1:split]
    wrapped = [nets[0], *(TargetNet(net) for net in targets), *nets[split:]]
    scalars, _ = loss_of(name, batch, wrapped)
    calls = [[] for _ in nets]
    for net, seen in zip(nets, calls, strict=True):
        net.register_forward_hook(lambda *a, s=seen: s.append(torch.is_grad_enabled()))
    same, _ = loss_of(name, batch, nets)
    assert all(torch.equal(a, b) for a, b in zip(scalars, same, strict=True))
    sum(same).backward()
    assert all(p.grad is None for net in targets for p in net.parameters())
    assert calls[1:split] == [[False]] * case.n_targets
    assert calls[0] == [False] * (case.passes - 1) + [True]


@all_cases
def test_a_net_that_redraws_noise_in_place_can_be_trained(name: str) -> None:
    nets, batch = make(name)
    noise = torch.ones(())
    nets[0].out.register_forward_hook(lambda *a: a[2] * noise.normal_())
    sum(loss_of(name, batch, nets)[0]).backward()
    assert all(p.grad is not None and p.grad.any() for p in nets[0].parameters())


@pytest.mark.parametrize("name", OF_BATCHES)
def test_batches_that_do_not_fit_raise(name: str) -> None:
    nets, batch = make(name)
    rows = list(batch.to("cpu"))
    arrays = Batch.from_rows([row(0, 0, 1.0, 1)])
    with pytest.raises(TypeError, match=r"NumPy arrays: call batch\.to\(device\)"):
        loss_of(name, arrays, nets)
    for other in (rows, [], None):
        with pytest.raises(TypeError, match=r"batch must be a ptan\.experience\.Batch"):
            loss_of(name, other, nets)
    for column in ("rewards", "discounts", "weights"):
        _, wrong = make(name)
        setattr(wrong, column, torch.ones(N_ROWS, 1))
        text = rf"^batch\.{column} must have shape \(16,\), got \(16, 1\)"
        with pytest.raises(ShapeError, match=text):
            loss_of(name, wrong, nets)
    without_gamma = [r._replace(discount=None) for r in rows]
    with pytest.raises(ValueError, match="gamma"):
        loss_of(name, Batch.from_rows(without_gamma).to("cpu"), nets)


@pytest.mark.parametrize("name", DISCRETE)
def test_actions_must_be_one_integer_in_range_per_row(name: str) -> None:
    nets, batch = make(name)
    actions = batch.actions
    for wrong, error, message in (
        (actions.unsqueeze(1), ShapeError, r"^actions must have shape \(16,\), got \(16, 1\)"),
        (actions.float(), TypeError, r"actions must be integers, got torch\.float"),
        (actions + 1, ValueError, r"^actions must be in \[0, 3\), got 3 in row 2$"),
        (actions - 1, ValueError, r"^actions must be in \[0, 3\), got -1 in row 0$"),
    ):
        batch.actions = wrong
        with pytest.raises(error, match=message):
            loss_of(name, batch, nets)


@pytest.mark.parametrize(
    ("name", "net", "output", "called"),
    [
        ("dqn", 0, 0, r"net\(states\) must have shape \(16, 3\)"),
        ("dqn", 1, 0, r"target_net\(last_states\) must have shape \(16, actions\)"),
        ("double", 0, 0, r"net\(last_states\) must have shape \(16, 3\)"),
        ("categorical", 0, 0, r"net\(states\) must have shape \(16, 3, 11\)"),
        ("categorical", 1, 0, r"target_net\(last_states\) must have shape \(16, actions, atoms\)"),
        ("categorical double", 0, 0, r"net\(last_states\) must have shape \(16, 3, 11\)"),
        ("a2c", 0, 0, r"logits must have shape \(batch, actions\)|actions must have shape \(1,\)"),
        ("a2c", 0, 1, r"values of last_states must have shape \(16,\) or \(16, 1\)"),
        ("sac critics", 0, 0, r"critics\[0\] must have shape \(16,\) or \(16, 1\)"),
        ("sac critics", 2, 0, r"target_critics\[1\] must have shape \(16,\) or \(16, 1\)"),
        ("sac critics", 3, 1, r"log-densities of the policy must have shape \(16,\)"),
        ("sac policy", 0, 1, r"log-densities of the policy must have shape \(16,\)"),
        ("sac policy", 2, 0, r"critics\[1\] must have shape \(16,\) or \(16, 1\)"),
        ("ddpg critic", 1, 0, r"target_critic\[0\] must have shape \(16,\) or \(16, 1\)"),
        ("ddpg policy", 1, 0, r"critic\[0\] must have shape \(16,\) or \(16, 1\)"),
    ],
)
@pytest.mark.parametrize(
    "wrong",
    [lambda t: t[:1], lambda t: t[None], lambda t: t[..., None], lambda t: t.sum()],
    ids=["one row", "an axis before", "an axis behind", "a number"],
)
def test_outputs_of_networks_are_never_broadcast(name, net, output, called, wrong) -> None:
    nets, batch = make(name)

    def bend(module, inputs, outputs):
        if isinstance(outputs, Tensor):
            return wrong(outputs)
        return tuple(wrong(t) if i == output else t for i, t in enumerate(outputs))

    nets[net].register_forward_hook(bend)
    with pytest.raises(ShapeError, match=rf"^({called}), got \("):
        loss_of(name, batch, nets)
