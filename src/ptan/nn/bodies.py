"""Bodies: from observations to features, and the layers that follow."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn

from ptan.common.types import Observations
from ptan.nn.spaces import InputSpec, SpaceOrShape, read_observations, zero_batch

__all__ = ["BodyNetwork", "Hidden", "LinearLayer", "atari_body", "mlp_body"]

Hidden: TypeAlias = int | Sequence[int]
"""Widths of fully connected layers; an int is one layer, empty is none."""

LinearLayer: TypeAlias = Callable[[int, int], nn.Module]
"""Makes a linear layer from its numbers of inputs and outputs."""


def atari_body(input_shape: Sequence[int]) -> nn.Sequential:
    """The convolutions of DQN (Mnih et al. 2015, methods): 32@8×8/4, 64@4×4/2, 64@3×3/1.

    Args:
        input_shape: (channels, height, width) of an image, at least 36 × 36.

    Returns:
        (B, *input_shape) floats to (B, features); for 84 × 84 there are 3136.

    Raises:
        ValueError: the image is too small, or its channels are not the first axis.
    """
    channels, height, width = input_shape
    if min(height, width) < 36:
        last = height >= 36 and channels >= 36
        raise ValueError(
            "the Atari body needs images (channels, height, width) of at least 36 x 36, got "
            f"{tuple(input_shape)}; "
            + ("put the channels first: ptan.envs.wrappers.ImageToPyTorch" if last else "")
            + ("" if last else "give a body of your own for them")
        )
    return nn.Sequential(
        nn.Conv2d(channels, 32, kernel_size=8, stride=4),
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=4, stride=2),
        nn.ReLU(),
        nn.Conv2d(64, 64, kernel_size=3, stride=1),
        nn.ReLU(),
        nn.Flatten(),
    )


def mlp_body(input_shape: Sequence[int], hidden: Sequence[int] = ()) -> nn.Sequential:
    """A body for vectors: fully connected layers of these widths, each followed by a ReLU.

    It turns (B, *input_shape) floats, flattened, into (B, hidden[-1]), or into (B, inputs) without
    hidden layers.
    """
    flatten = [nn.Flatten()] if len(input_shape) > 1 else []
    return nn.Sequential(*flatten, *_hidden_layers(prod(input_shape), hidden))


def _hidden_layers(
    n_inputs: int, widths: Sequence[int], layer: LinearLayer = nn.Linear
) -> list[nn.Module]:
    pairs = pairwise((n_inputs, *widths))
    return [part for n_in, n_out in pairs for part in (layer(n_in, n_out), nn.ReLU())]


class Head(nn.Sequential):
    """Layers whose last one computes in the precision of its weights, also under autocast.

    A bfloat16 has 8 bits: between values near 100, all that are less than half a unit apart would
    be equal, and so would be the actions that they belong to.
    """

    def forward(self, features: Tensor) -> Tensor:
        *hidden, last = self
        for layer in hidden:
            features = layer(features)
        kind = features.device.type
        if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
            return cast(Tensor, last(features))
        with torch.autocast(kind, enabled=False):
            return cast(Tensor, last(features.to(next(last.parameters()).dtype)))


class BodyNetwork(nn.Module):
    """What all networks here begin with: check observations, scale them, run the body.

    An image gets the Atari body under the name `conv`; anything else, and every body of the
    user's, is called `body`. Images are divided by 256, unless their space says that they are in
    [0, 1] already; vectors are not scaled. Boxes are turned into the floating type of the network.

    A body of the user's gets boxes as floats that are *not* scaled, and other observations
    (`Discrete`, `Dict` …) as they come. It is used as it is, not copied. It is run once on zeros,
    in evaluation mode, to see how many features it has.

    Args:
        observations: The observation space of one environment, or the shape of one observation:
            three axes are an image, others a vector.
        hidden: Widths of the fully connected layers. The last is that of each head's hidden layer,
            the others follow the body and are shared; an int is one layer, empty is none.
            None: (128, 128) after vectors, `head_width` after all else.
        body: Observations to (B, features); more axes are flattened. None chooses by the space.
        head_width: Hidden units of each head when `hidden` does not say.

    Raises:
        TypeError: observations is neither a space nor a shape, or body is no module.
        ValueError: no body fits the observations, the body failed on them, or a width is below 1.
    """

    conv: nn.Sequential
    body: nn.Module
    _unit: Tensor

    def __init__(
        self,
        observations: SpaceOrShape,
        hidden: Hidden | None = None,
        body: nn.Module | None = None,
        *,
        head_width: int = 512,
    ) -> None:
        super().__init__()
        spec = read_observations(observations)
        is_vector = body is None and not spec.is_image
        widths = _widths(hidden, (128, 128) if is_vector else (head_width,))
        self.input_shape = spec.shape
        self._divisor = spec.divisor if body is None else 1
        self.head_hidden = widths[-1:]
        base = _choose(spec, body, widths[:-1])
        features = _features_of_zeros(base, spec)
        # Not among the parameters, yet always of the network's device and floating type.
        self.register_buffer("_unit", features.new_ones(()), persistent=False)
        self._image_body = body is None and spec.is_image
        whole, self.n_features = self._extended(base, features, () if is_vector else widths[:-1])
        self.add_module("conv" if self._image_body else "body", whole)

    def features(self, observations: Observations) -> Tensor:
        """What the heads get, (B, n_features) floats: the observations through the body.

        Args:
            observations: A tensor (B, *input_shape) of any numeric type, images in 0–255; for a
                space that is no box, whatever the body takes.

        Raises:
            TypeError: no tensor.
            ValueError: another shape.
        """
        if self.input_shape is not None:
            observations = self._scaled(observations)
        return cast(Tensor, (self.conv if self._image_body else self.body)(observations))

    def head(self, n_outputs: int, layer: LinearLayer = nn.Linear) -> nn.Sequential:
        """Make a head (B, n_features) to (B, n_outputs), on this body's device and of its type.

        Hidden layers with ReLU, then a linear one, which also under autocast computes in the
        precision of its weights.
        """
        # From the input on: with one seed, the same weights as layers written out in this order.
        hidden = _hidden_layers(self.n_features, self.head_hidden, layer)
        last = layer((self.n_features, *self.head_hidden)[-1], n_outputs)
        return Head(*hidden, last).to(self._unit)

    def _scaled(self, observations: Tensor) -> Tensor:
        if not isinstance(observations, Tensor):
            raise TypeError(f"observations must be a tensor, got {type(observations).__name__}")
        if observations.shape[1:] != self.input_shape:
            wanted = ", ".join(str(size) for size in ("B", *(self.input_shape or ())))
            raise ValueError(
                f"observations must have shape ({wanted}), got {tuple(observations.shape)}"
            )
        dtype = self._computed_in(observations)
        values = observations if observations.dtype == dtype else observations.to(dtype)
        if self._divisor == 1:
            return values
        if values is observations:
            return values / self._divisor
        # A copy already: dividing it in place saves half the time, and bytes are most of it.
        return values.div_(self._divisor)

    def _computed_in(self, observations: Tensor) -> torch.dtype:
        """The type of the network, or that of autocast where no digit of a byte is lost by it."""
        kind = observations.device.type
        possible = observations.dtype == torch.uint8 and torch.amp.is_autocast_available(kind)
        if possible and torch.is_autocast_enabled(kind):
            return torch.get_autocast_dtype(kind)
        return cast(Tensor, self._buffers["_unit"]).dtype

    def _extended(
        self, base: nn.Module, features: Tensor, shared: Sequence[int]
    ) -> tuple[nn.Module, int]:
        n_features = features[0].numel()
        tail: list[nn.Module] = [nn.Flatten()] if features.ndim != 2 else []
        tail += _hidden_layers(n_features, shared)
        if not tail:
            return base, n_features
        more = nn.Sequential(*tail).to(features)
        # Our own convolutions stay at the names they have without these layers: conv.0 and so on.
        if self._image_body and isinstance(base, nn.Sequential):
            return nn.Sequential(*base, *more), shared[-1]
        return nn.Sequential(base, *more), shared[-1] if shared else n_features


def _widths(hidden: Hidden | None, default: tuple[int, ...]) -> tuple[int, ...]:
    if hidden is None:
        return default
    widths = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    if any(width < 1 for width in widths):
        raise ValueError(f"hidden must hold widths of at least 1, got {hidden}")
    return widths


def _choose(spec: InputSpec, body: nn.Module | None, widths: Sequence[int]) -> nn.Module:
    if body is not None:
        if not isinstance(body, nn.Module):
            raise TypeError(f"body must be a torch.nn.Module, got {type(body).__name__}")
        return body
    if spec.shape is None:
        raise ValueError(
            f"there is no body for {spec.space}: give one as body=, or make the observations a "
            "box, e.g. with gymnasium.wrappers.FlattenObservation"
        )
    return atari_body(spec.shape) if spec.is_image else mlp_body(spec.shape, widths)


def _features_of_zeros(body: nn.Module, spec: InputSpec) -> Tensor:
    """What the body makes of a batch of one observation, whose type and device come along."""
    reference = next((p for p in body.parameters() if p.is_floating_point()), torch.empty(0))
    if spec.shape is None:
        assert spec.space is not None  # only a space can be without a shape
        zeros = zero_batch(spec.space, reference.device)
    else:
        zeros = torch.zeros(1, *spec.shape, device=reference.device, dtype=reference.dtype)
    modes = {module: module.training for module in body.modules()}
    body.eval()  # no statistics of normalisation layers, no dropout
    try:
        with torch.no_grad():
            features = body(zeros)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        seen = spec.space if spec.shape is None else f"shape (1, {str(spec.shape)[1:]}"
        raise ValueError(f"body failed on observations of {seen}: {error}") from error
    finally:
        for module, mode in modes.items():
            module.training = mode
    if not isinstance(features, Tensor) or not features.is_floating_point():
        raise TypeError(f"body must return a tensor of floats, got {features!r:.100}")
    if features.ndim == 0 or len(features) != 1 or features.numel() == 0:
        raise ValueError(
            f"body must return (B, features), got {tuple(features.shape)} for a batch of 1"
        )
    return features
