"""What an algorithm says of held-out states: means, distributions, and no trace in training."""

import numpy as np
import pytest
import torch

from ptan.algorithms import DQN, DQNConfig
from ptan.losses import mean_state_value

STATES = np.random.default_rng(3).normal(size=(700, 5)).astype(np.float32)


def algorithm(**switches: object) -> DQN:
    """A small one."""
    return DQN((5,), 3, DQNConfig(hidden=8, seed=2, n_atoms=11, **switches))


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("distributional", [False, True])
@pytest.mark.parametrize("double", [False, True])
def test_values_are_means_over_all_states_taken_apart_where_it_is_asked(
    dueling, distributional, double
) -> None:
    dqn = algorithm(dueling=dueling, distributional=distributional, double=double)
    with torch.no_grad():
        values = dqn.net.qvals(torch.as_tensor(STATES)).double()
        best, mean = values.amax(1).mean().item(), values.mean().item()
        parts = {"adv": best - mean, "val": mean}
        if dueling and not distributional:  # both heads say something of their own
            heads = zip(parts, dqn.net.adv_val(torch.as_tensor(STATES)), strict=True)
            parts = {name: head.mean().item() for name, head in heads}
    wanted = {"values": best} | (parts if dueling or double else {})
    found = dqn.diagnostics(STATES)
    assert found == {name: pytest.approx(x, rel=1e-4, abs=1e-6) for name, x in wanted.items()}
    if not distributional:
        assert mean_state_value(STATES, dqn.net) == pytest.approx(best, rel=1e-5)


def test_a_noisy_network_is_asked_without_noise_and_tells_its_strength() -> None:
    dqn = algorithm(noisy=True)
    first = dqn.diagnostics(STATES)
    before = [layer.epsilon_weight.clone() for layer in dqn.net.noisy_layers]
    assert dqn.diagnostics(STATES) == first
    assert dqn.net.training
    for layer, noise in zip(dqn.net.noisy_layers, before, strict=True):
        assert torch.equal(layer.epsilon_weight, noise)
    assert [first["snr_1"], first["snr_2"]] == dqn.net.noisy_layers_sigma_snr()


@pytest.mark.parametrize("switches", [{}, {"dueling": True, "noisy": True}])
def test_distributions_of_returns(switches: dict[str, bool]) -> None:
    dqn = algorithm(distributional=True, v_min=-1.0, v_max=3.0, **switches)
    found = dqn.return_distributions(STATES[:6])
    assert found is not None
    probabilities, atoms = found
    assert probabilities.shape == (6, 3, 11)
    np.testing.assert_allclose(probabilities.sum(-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(atoms, np.linspace(-1, 3, 11), rtol=1e-6)
    expected = (probabilities * atoms).sum(-1).amax(1).mean().item()
    assert dqn.diagnostics(STATES[:6])["values"] == pytest.approx(expected, rel=1e-5)


def test_other_networks_have_no_distributions() -> None:
    assert algorithm(dueling=True).return_distributions(STATES[:2]) is None


def test_no_states_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one state"):
        algorithm().diagnostics(STATES[:0])
