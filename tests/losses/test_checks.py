"""What every loss refuses: shapes that would broadcast, arrays, numbers out of range."""

import numpy as np
import pytest
import torch

from ptan.losses import (
    ShapeError,
    categorical_entropies,
    categorical_log_probs,
    categorical_projection,
    clipped_value_loss,
    entropy_loss,
    gaussian_entropies,
    gaussian_log_probs,
    generalized_advantages,
    policy_gradient_loss,
    ppo_policy_loss,
    sac_critic_loss,
    sac_policy_loss,
    sac_temperature_loss,
    tanh_gaussian,
    value_loss,
)
from ptan.losses._checks import shaped

from .fakes import row, tensors

# How many tensors of one shape a function takes.
COLUMNS = {
    value_loss: 2,
    clipped_value_loss: 3,
    policy_gradient_loss: 3,
    ppo_policy_loss: 3,
    lambda *tensors: generalized_advantages(*tensors, 0.9): 5,
}


@pytest.mark.parametrize("function", COLUMNS)
@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (1,), (), (3,), (4, 4)])
def test_columns_are_never_broadcast(function, shape) -> None:
    function(*(torch.zeros(4) for _ in range(COLUMNS[function])))
    for place in range(COLUMNS[function]):
        if function is policy_gradient_loss and place == 2 and shape == ():
            continue  # one number for all rows is a baseline
        arguments = [torch.zeros(4) for _ in range(COLUMNS[function])]
        arguments[place] = torch.zeros(shape)
        with pytest.raises(ShapeError, match="must have shape"):
            function(*arguments)
        if place < 2:
            arguments[place] = np.zeros(4)
            with pytest.raises(TypeError, match="must be a tensor, got ndarray"):
                function(*arguments)


BATCH, DENSITIES = tensors([row(0, np.zeros(1), 1.0, 1)] * 3), torch.zeros(3)


def critic(states, actions):
    return torch.zeros(3)


def policy(states):
    return torch.zeros(3, 1), DENSITIES


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_log_probs(*torch.zeros(2, 4, 2), torch.zeros(2)),
         r"actions must have shape \(4, 2\), got \(2,\)"),
        (lambda: tanh_gaussian(*torch.zeros(2, 4, 2), torch.zeros(2)),
         r"noise must have shape \(4, 2\), got \(2,\)"),
        (lambda: gaussian_entropies(torch.zeros(4, 2), torch.zeros(4, 1)),
         r"log_std must have shape \(4, 2\) or \(2,\), got \(4, 1\)"),
        (lambda: gaussian_entropies(torch.zeros(4), torch.zeros(4)),
         r"mean must have shape \(batch, \*action\), got \(4,\)"),
        (lambda: categorical_log_probs(torch.zeros(4, 2), torch.zeros(4, 1, dtype=torch.int64)),
         r"actions must have shape \(4,\), got \(4, 1\)"),
        (lambda: categorical_entropies(torch.zeros(4)),
         r"logits must have shape \(batch, actions\), got \(4,\)"),
        (lambda: sac_critic_loss(BATCH, [critic], [critic], policy, torch.zeros(3)),
         r"alpha must have one element, got shape \(3,\)"),
        (lambda: sac_temperature_loss(torch.zeros(3), DENSITIES, -1.0),
         r"log_alpha must have one element, got shape \(3,\)"),
        (lambda: sac_temperature_loss(torch.zeros(1), torch.zeros(3, 1), -1.0),
         r"log_probs must have shape \(3,\), got \(3, 1\)"),
        (lambda: shaped("x", torch.zeros(2, 0), (2, "actions")),
         r"x must have shape \(2, actions\), got \(2, 0\)"),
    ],
)  # fmt: skip
def test_shapes_are_refused_by_name(call, message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{message}$"):
        call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: categorical_log_probs(torch.zeros(2, 2), torch.tensor([1, 5])), ValueError,
         r"actions must be in \[0, 2\), got 5 in row 1"),
        (lambda: categorical_log_probs(torch.zeros(4, 2), torch.zeros(4)), TypeError,
         "actions must be integers"),
        (lambda: categorical_entropies(np.zeros((4, 2))), TypeError, "must be a tensor, got ndar"),
        (lambda: clipped_value_loss(*torch.zeros(3, 2), clip=0.0), ValueError,
         r"clip must be finite and above 0, got 0\.0"),
        (lambda: ppo_policy_loss(*torch.zeros(3, 2), clip=-0.1), ValueError,
         r"clip must be finite and above 0, got -0\.1"),
        (lambda: entropy_loss(0.5), TypeError, "entropies must be a tensor, got float"),
        (lambda: sac_critic_loss(BATCH, [critic], [], policy, 0.1), ValueError,
         "target_critics must hold at least one critic, got none"),
        (lambda: sac_critic_loss(BATCH, [], [critic], policy, 0.1), ValueError,
         "critics must hold at least one"),
        (lambda: sac_policy_loss(BATCH.states, [], policy, 0.1), ValueError,
         "critics must hold at least one"),
    ],
)  # fmt: skip
def test_other_arguments_are_refused_by_name(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


PROJECTION = [torch.rand(3, 5), *torch.rand(2, 3), torch.zeros(3, dtype=torch.bool), torch.rand(5)]


@pytest.mark.parametrize(
    ("place", "shape"),
    [(0, (3,)), (0, (3, 5, 1)), (1, (3, 1)), (1, (1,)), (2, ()), (3, (3, 5)), (4, (4,)),
     (4, (1, 5))],
)  # fmt: skip
def test_arguments_of_the_projection_are_never_broadcast(place: int, shape) -> None:
    arguments = list(PROJECTION)
    categorical_projection(*arguments)
    arguments[place] = torch.zeros(shape)
    with pytest.raises(ShapeError):
        categorical_projection(*arguments)
    with pytest.raises(ShapeError, match="at least two atoms"):
        categorical_projection(torch.ones(3, 1), *PROJECTION[1:4], torch.zeros(1))
