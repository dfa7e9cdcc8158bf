"""The one way in which algorithms step their optimizers, for drivers to take hold of."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["OptimizerStep"]


class OptimizerStep:
    """Backward, reduce, clip, step.

    An algorithm keeps these by name in `algorithm.optimizers` and steps in no other way. A driver
    that works differently puts a subclass in their place: one whose `backward` is Lightning's, or
    whose `reduce` averages gradients over processes.

        class Averaged(OptimizerStep):
            def reduce(self) -> None:
                for parameter in self.parameters():
                    torch.distributed.all_reduce(parameter.grad, torch.distributed.ReduceOp.AVG)

        old = algorithm.optimizers["q"]
        algorithm.optimizers["q"] = Averaged(old.optimizer, old.max_grad_norm)

    The gradient is scaled down to `max_grad_norm`; None leaves it as it is.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, max_grad_norm: float | None = None
    ) -> None:
        self.optimizer = optimizer
        self.max_grad_norm = max_grad_norm

    def __call__(self, loss: Tensor) -> None:
        """Minimise a scalar loss by one step."""
        self.optimizer.zero_grad()
        self.backward(loss)
        self.reduce()
        self.clip()
        self.step()

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients."""
        loss.backward()  # type: ignore[no-untyped-call]

    def reduce(self) -> None:
        """Combine the gradients of several processes; nothing in one."""

    def clip(self) -> None:
        """Scale the gradient down to its largest norm."""
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.max_grad_norm)

    def step(self) -> None:
        """Move the parameters."""
        self.optimizer.step()

    def parameters(self) -> Iterator[Tensor]:
        """The parameters that are optimized."""
        for group in self.optimizer.param_groups:
            yield from group["params"]

    def set_learning_rate(self, value: float) -> None:
        """Set the step size of all parameters."""
        for group in self.optimizer.param_groups:
            group["lr"] = value
