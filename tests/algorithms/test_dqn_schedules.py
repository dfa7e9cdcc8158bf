"""What changes with the environment steps: the step size of Adam."""

import pytest

from ptan.algorithms import DQN, DQNConfig


def step_size(algorithm: DQN) -> float:
    """Of all parameters."""
    (value,) = {group["lr"] for group in algorithm.optimizers["q"].optimizer.param_groups}
    return float(value)


def test_the_step_size_falls_on_a_line_from_the_end_of_the_warm_up() -> None:
    settings = {"learning_rate": 8e-4, "learning_rate_final": 2e-4, "learning_rate_steps": 300}
    algorithm = DQN((4,), 2, DQNConfig(warm_up=100, hidden=8, **settings))
    found = {}
    for steps in (0, 100, 100, 200, 1, 999):
        algorithm.on_steps(steps)
        found[algorithm.env_steps] = step_size(algorithm)
    expected = {0: 8e-4, 100: 8e-4, 200: 6e-4, 400: 2e-4, 401: 2e-4, 1400: 2e-4}
    assert found == {steps: pytest.approx(value) for steps, value in expected.items()}


def test_without_a_final_one_it_stays() -> None:
    algorithm = DQN((4,), 2, DQNConfig(warm_up=0, hidden=8, learning_rate=3e-4))
    algorithm.on_steps(10_000_000)
    assert step_size(algorithm) == 3e-4


def test_a_loaded_run_goes_on_along_its_line() -> None:
    config = DQNConfig(warm_up=0, hidden=8, learning_rate_final=1e-5, learning_rate_steps=1_000)
    first, second = DQN((4,), 2, config), DQN((4,), 2, config)
    first.on_steps(500)
    second.load_state_dict(first.state_dict())
    assert step_size(second) == step_size(first) == pytest.approx((1e-4 + 1e-5) / 2)
