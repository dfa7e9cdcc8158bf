"""Q-networks: every combination of switches over every kind of body."""

import copy
import pickle
from functools import partial

import pytest
import torch
from gymnasium import spaces
from torch import nn

from ptan.actions import ArgmaxActionSelector
from ptan.agent import DQNAgent, TargetNet
from ptan.nn import (
    NoisyDQN,
    NoisyFactorizedLinear,
    NoisyLinear,
    QNetwork,
)

from .oracles import (
    IMAGE,
    Doubler,
    all_switches,
    conv_features,
    expected,
    head,
    image_space,
    images,
    vector_space,
    vectors,
)

N_ACTIONS = 3
BODIES = {
    "image": (image_space(), None, images(5)),
    "vector": (vector_space(), None, vectors(5)),
    "own body": (vector_space(), Doubler(), vectors(5)),
    "own embedding": (spaces.Discrete(7), nn.Embedding(7, 6), torch.arange(5)),
}
all_bodies = pytest.mark.parametrize("kind", BODIES)


def make(kind, **options):
    space, body, x = BODIES[kind]
    options = {"hidden": 16, "n_atoms": 5} | options
    return QNetwork(space, spaces.Discrete(N_ACTIONS), body=body, **options), x


def features_by_hand(kind, state, x):
    if kind == "image":
        return conv_features(state, x)
    if kind == "own body":
        return 2 * x
    return state["body.weight"][x] if kind == "own embedding" else x


@all_bodies
@all_switches
def test_outputs_are_what_the_heads_compute(kind, switches):
    net, x = make(kind, **switches)
    net.eval()
    state = net.state_dict()
    features = features_by_hand(kind, state, x)
    shape = (5, N_ACTIONS, 5) if switches["distributional"] else (5, N_ACTIONS)
    if switches["dueling"]:
        advantage = head(state, "fc_adv", features).reshape(shape)
        value = head(state, "fc_val", features)
        output = torch.empty(shape)
        for action in range(N_ACTIONS):
            centred = advantage[:, action] - sum(advantage[:, a] for a in range(N_ACTIONS)) / 3
            output[:, action] = (value if switches["distributional"] else value[:, 0]) + centred
    else:
        output = head(state, "fc", features).reshape(shape)
    torch.testing.assert_close(net(x), output)
    q = expected(output, [-10, -5, 0, 5, 10]) if switches["distributional"] else output
    torch.testing.assert_close(net.qvals(x), q)


@all_bodies
@all_switches
def test_noise_is_in_training_mode_of_noisy_networks_only(kind, switches):
    net, x = make(kind, **switches)
    with torch.no_grad():
        assert torch.equal(net(x), net(x)) != switches["noisy"]
        net.eval()
        assert torch.equal(net(x), net(x))


@all_switches
def test_every_parameter_learns(switches):
    net, x = make("image", **switches)
    net(x).square().sum().backward()
    assert [name for name, p in net.named_parameters() if not p.grad.any()] == []


@all_bodies
@all_switches
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"]
)
def test_copies_compute_the_same(kind, switches, duplicate):
    net, x = make(kind, **switches)
    copied = duplicate(net)
    assert torch.equal(net.eval()(x), copied.eval()(x))
    with torch.no_grad():
        next(net.parameters()).add_(1.0)
    assert not torch.equal(next(net.parameters()), next(copied.parameters()))


def test_atoms_are_part_of_the_state():
    net, _ = make("vector", distributional=True, n_atoms=3, v_min=0.0)
    assert net.state_dict()["supports"].tolist() == [0.0, 5.0, 10.0]
    assert net.supports.dtype == torch.float32
    with pytest.raises(ValueError, match="n_atoms must be at least 2, got 1"):
        QNetwork((4,), 2, distributional=True, n_atoms=1)


@all_switches
def test_a_state_dict_restores_the_network(switches):
    net, x = make("image", **switches)
    other, _ = make("image", **switches)
    other.load_state_dict(net.state_dict())
    assert torch.equal(net.eval()(x), other.eval()(x))


@all_switches
def test_mixed_precision_and_whole_precisions_work(switches):
    net, x = make("image", **switches)
    net.eval()
    reference = net.qvals(x)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype=dtype):
            torch.testing.assert_close(net.qvals(x).float(), reference, rtol=0.1, atol=0.1)
    torch.testing.assert_close(net.double().qvals(x).float(), reference, rtol=1e-4, atol=1e-4)


@all_switches
def test_gradients_are_right(switches):
    options = {"hidden": (3, 4), "n_atoms": 2, "v_min": 0.0, "v_max": 1.0}
    quiet = partial(NoisyLinear, sigma_init=0.5, resample_on_forward=False)
    net = QNetwork((2,), 2, noisy_layer=quiet, **options, **switches).double()
    net.resample_noise(torch.Generator().manual_seed(1))
    names = [name for name, _ in net.named_parameters()]
    x = vectors(3, 2).double().requires_grad_()

    def values(x, *parameters):
        state = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(net, state, x)

    assert torch.autograd.gradcheck(values, (x, *net.parameters()))


def test_dueling_leaves_the_mean_advantage_out():
    net, x = make("vector", dueling=True)
    advantage, value = net.adv_val(x)
    assert (advantage.shape, value.shape) == ((5, N_ACTIONS), (5, 1))
    torch.testing.assert_close(net(x).mean(dim=1, keepdim=True), value)
    with torch.no_grad():
        net.fc_adv[-1].bias.add_(7.0)
    shifted, _ = net.adv_val(x)
    torch.testing.assert_close(shifted, advantage + 7.0)
    torch.testing.assert_close(net(x).mean(dim=1, keepdim=True), value)


def test_advantage_and_value_of_distributions_keep_their_atoms():
    net, x = make("vector", dueling=True, distributional=True)
    advantage, value = net.adv_val(x)
    assert (advantage.shape, value.shape) == ((5, N_ACTIONS, 5), (5, 5))


def test_both_gives_logits_and_their_expectation():
    net, x = make("vector", distributional=True, n_atoms=11, v_min=0.0, v_max=5.0)
    logits, q = net.both(x)
    assert torch.equal(logits, net(x))
    torch.testing.assert_close(q, expected(logits, [i / 2 for i in range(11)]))
    assert torch.equal(q, net.qvals(x))


def test_apply_softmax_takes_any_shape_with_atoms_last():
    net, x = make("vector", distributional=True)
    logits = net(x)
    for t in (logits, logits[:, 0], logits[0, 0], logits.unsqueeze(0)):
        probabilities = net.apply_softmax(t)
        assert probabilities.shape == t.shape
        torch.testing.assert_close(probabilities.sum(dim=-1), torch.ones(t.shape[:-1]))
        torch.testing.assert_close(probabilities, t.exp() / t.exp().sum(dim=-1, keepdim=True))
    with pytest.raises(ValueError, match=r"\(\.\.\., 5\), atoms last, got \(5, 3\)"):
        net.apply_softmax(logits[:, :, 0])


def test_noisy_layers_report_their_signal_to_noise_ratio():
    net, _ = make("vector", noisy=True)
    first, second = net.fc[0], net.fc[2]
    assert net.noisy_layers == [first, second]
    assert net.noisy_layers_sigma_snr() == [first.signal_to_noise(), second.signal_to_noise()]
    dueling, _ = make("vector", noisy=True, dueling=True)
    assert dueling.noisy_layers == [*dueling.fc_adv[::2], *dueling.fc_val[::2]]
    assert make("vector")[0].noisy_layers_sigma_snr() == []


def test_noisy_dqn_starts_at_the_published_signal_to_noise_ratios():
    assert NoisyDQN(IMAGE, 6).noisy_layers_sigma_snr() == pytest.approx([1.05, 2.6], rel=0.05)


def test_one_draw_serves_until_the_next():
    quiet = partial(NoisyLinear, resample_on_forward=False)
    net, x = make("vector", noisy=True, dueling=True, noisy_layer=quiet)
    net.resample_noise(torch.Generator().manual_seed(3))
    first = net(x)
    assert torch.equal(net(x), first)
    net.resample_noise()
    assert not torch.equal(net(x), first)
    net.resample_noise(torch.Generator().manual_seed(3))
    assert torch.equal(net(x), first)


def test_an_agent_sees_new_noise_at_every_step():
    net, x = make("vector", noisy=True)
    seen = []

    def scores(observations):
        seen.append(net(observations))
        return seen[-1]

    agent = DQNAgent(scores, ArgmaxActionSelector())
    for _ in range(2):
        agent(x.numpy())
    assert not torch.equal(seen[0], seen[1])
    assert not seen[0].requires_grad


def test_the_noisy_layer_can_be_chosen():
    net, _ = make("vector", noisy=True, noisy_layer=partial(NoisyFactorizedLinear, sigma_zero=0.8))
    assert [type(layer) for layer in net.noisy_layers] == [NoisyFactorizedLinear] * 2
    assert net.fc[0].sigma_weight[0, 0].item() == pytest.approx(0.8 / 4**0.5)


@all_switches
def test_a_target_network_follows(switches):
    net, x = make("vector", **switches)
    target = TargetNet(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.0)
    target.sync()
    assert torch.equal(target.target_model.eval()(x), net.eval()(x))


@pytest.mark.parametrize("method", ["both", "apply_softmax"])
def test_methods_of_distributions_need_one(method):
    net, x = make("vector")
    with pytest.raises(TypeError, match=f"{method} needs a network made with distributional=True"):
        getattr(net, method)(x)


def test_advantage_and_value_need_a_dueling_network():
    net, x = make("vector")
    with pytest.raises(TypeError, match="adv_val needs a network made with dueling=True"):
        net.adv_val(x)


def test_an_empty_batch_passes():
    for distributional in (False, True):
        net, x = make("vector", dueling=True, distributional=distributional)
        assert net.qvals(x[:0]).shape == (0, N_ACTIONS)
