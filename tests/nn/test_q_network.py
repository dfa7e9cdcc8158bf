"""Q-networks: every combination of switches over every kind of body."""

import math
from functools import partial

import pytest
import torch
from gymnasium import spaces
from torch import nn

from ptan.actions import ArgmaxActionSelector
from ptan.agent import DQNAgent
from ptan.nn import NoisyDQN, NoisyFactorizedLinear, NoisyLinear, QNetwork

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


@pytest.mark.parametrize("kind", BODIES)
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
        for got, wanted in zip(net.adv_val(x), (advantage, value), strict=True):
            torch.testing.assert_close(got, wanted)
    else:
        output = head(state, "fc", features).reshape(shape)
    torch.testing.assert_close(net(x), output)
    q = expected(output, [-10, -5, 0, 5, 10]) if switches["distributional"] else output
    torch.testing.assert_close(net.qvals(x), q)
    assert net.qvals(x[:0]).shape == (0, N_ACTIONS)


@pytest.mark.parametrize(
    ("n_atoms", "v_min", "v_max"), [(51, -10, 10), (2, 0.0, 1.0), (7, -3.0, 0.5), (101, -1e3, 1e3)]
)
def test_atoms_are_evenly_spaced_from_end_to_end_and_part_of_the_state(n_atoms, v_min, v_max):
    net, _ = make("vector", distributional=True, n_atoms=n_atoms, v_min=v_min, v_max=v_max)
    supports = net.state_dict()["supports"]
    assert (supports[0].item(), supports[-1].item()) == (v_min, v_max)
    torch.testing.assert_close(supports, torch.linspace(v_min, v_max, n_atoms))
    assert v_min != -v_max or supports[n_atoms // 2].item() == 0.0


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        ((1, 0.0, 1.0), "n_atoms must be at least 2, got 1"),
        ((51, 10.0, 10.0), "v_min must be below v_max, both finite, got 10.0 and 10.0"),
        ((51, -10.0, math.inf), "both finite, got -10.0 and inf"),
        ((51, math.nan, 10.0), "both finite, got nan and 10.0"),
    ],
)
def test_atoms_that_make_no_sense_are_refused_by_name(atoms, message):
    options = dict(zip(("n_atoms", "v_min", "v_max"), atoms, strict=True))
    with pytest.raises(ValueError, match=message):
        make("vector", distributional=True, **options)


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
        torch.testing.assert_close(probabilities, t.exp() / t.exp().sum(dim=-1, keepdim=True))
    with pytest.raises(ValueError, match=r"\(\.\.\., 5\), atoms last, got \(5, 3\)"):
        net.apply_softmax(logits[:, :, 0])


@pytest.mark.parametrize(
    ("method", "switch"),
    [("both", "distributional"), ("apply_softmax", "distributional"), ("adv_val", "dueling")],
)
def test_methods_need_their_switch(method, switch):
    net, x = make("vector")
    with pytest.raises(TypeError, match=f"{method} needs a network made with {switch}=True"):
        getattr(net, method)(x)


def test_noisy_layers_report_their_signal_to_noise_ratio():
    net, _ = make("vector", noisy=True)
    first, second = net.fc[0], net.fc[2]
    assert net.noisy_layers == [first, second]
    assert net.noisy_layers_sigma_snr() == [first.signal_to_noise(), second.signal_to_noise()]
    dueling, _ = make("vector", noisy=True, dueling=True)
    assert dueling.noisy_layers == [*dueling.fc_adv[::2], *dueling.fc_val[::2]]
    assert make("vector")[0].noisy_layers_sigma_snr() == []
    # The published values.
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
    agent = DQNAgent(lambda states: seen.append(net(states)) or seen[-1], ArgmaxActionSelector())
    for _ in range(2):
        agent(x.numpy())
    assert not torch.equal(seen[0], seen[1])
    assert not seen[0].requires_grad


def test_the_noisy_layer_can_be_chosen():
    net, _ = make("vector", noisy=True, noisy_layer=partial(NoisyFactorizedLinear, sigma_zero=0.8))
    assert [type(layer) for layer in net.noisy_layers] == [NoisyFactorizedLinear] * 2
    assert net.fc[0].sigma_weight[0, 0].item() == pytest.approx(0.8 / 4**0.5)
