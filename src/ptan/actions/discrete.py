"""Selectors of discrete actions."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ptan.common.checks import checked_callable, unit_interval
from ptan.common.generators import as_generator
from ptan.common.types import Actions, Array

# How far the sum of a row of probabilities may be from 1: rounding, not a forgotten softmax.
_SUM_TOLERANCE = 1e-3


class ActionSelector(ABC):
    """Turns a batch of scores into a batch of actions; subclass it for a rule of your own."""

    @abstractmethod
    def __call__(self, scores: Array) -> Array:
        """Scores (B, A), what the model says about each of A actions, to actions (B,) int64."""


Selector: TypeAlias = Callable[[Array], Actions]
"""What is accepted as a selector: an `ActionSelector` or any function of the same form."""


class ArgmaxActionSelector(ActionSelector):
    """Takes the action with the highest score, the first of equals."""

    def __call__(self, scores: Array) -> NDArray[np.int64]:
        """Scores (B, A) to actions (B,); -inf marks an action that must not be chosen.

        Other shapes, no actions and NaN raise ValueError.
        """
        actions: NDArray[np.int64] = _check_scores(scores).argmax(axis=1)
        return actions


class EpsilonGreedyActionSelector(ActionSelector):
    """Explores: a random action with probability epsilon, else what another selector says.

    A random action is uniform over all A actions, the best one included (Sutton and Barto 2018,
    section 2.2), and over masked ones: a -inf score does not keep it from being drawn.

    The inner selector sees every row, also those that turn out random. So its own random numbers,
    if it draws any, do not depend on epsilon.

    Args:
        epsilon: Probability of a random action, in [0, 1]. Settable at any time.
        selector: Chooses the other actions; None is a fresh `ArgmaxActionSelector`.
    """

    def __init__(
        self,
        epsilon: float = 0.05,
        selector: Selector | None = None,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.selector: Selector = (
            ArgmaxActionSelector() if selector is None else checked_callable("selector", selector)
        )
        self.rng = as_generator(rng)

    @property
    def epsilon(self) -> float:
        """Probability of a random action, in [0, 1]."""
        return self._epsilon

    @epsilon.setter
    def epsilon(self, value: float) -> None:
        self._epsilon = unit_interval("epsilon", value)

    def __call__(self, scores: Array) -> NDArray[np.int64]:
        """Scores (B, A), as for `ArgmaxActionSelector`, to actions (B,), a new array."""
        scores = _check_scores(scores)
        n_rows: int
        n_rows, n_actions = scores.shape
        selector = self.selector
        if type(selector) is ArgmaxActionSelector:
            # The usual case, without checking the scores a second time.
            actions: NDArray[np.int64] = scores.argmax(axis=1)
        else:
            actions = _copy_actions(selector(scores), n_rows)
        # floor(u·A) is uniform to 2⁻⁵³·A and always below A; Generator.integers is 3 times slower.
        if n_rows == 1:
            # Scalars take a third of the time and draw the same numbers as the general case.
            if self.rng.random() < self._epsilon:
                actions[0] = int(self.rng.random() * n_actions)
            return actions
        rows = (self.rng.random(n_rows) < self._epsilon).nonzero()[0]
        if rows.size:
            actions[rows] = (self.rng.random(rows.size) * n_actions).astype(np.int64)
        return actions


class ProbabilityActionSelector(ActionSelector):
    """Samples an action per row from the probabilities of a policy.

    Inverts the cumulative distribution: one uniform number per row, no loop over rows. An action of
    probability 0 is never chosen.
    """

    def __init__(self, *, rng: np.random.Generator | int | None = None) -> None:
        self.rng = as_generator(rng)

    def __call__(self, scores: Array) -> NDArray[np.int64]:
        """Probabilities (B, A) to actions (B,).

        Each row must sum to 1 within 1e-3, and is normalised exactly before use. One that is no
        probability distribution raises ValueError, naming the row.
        """
        probabilities = _as_matrix(scores)
        if len(probabilities) == 0:
            return np.zeros(0, dtype=np.int64)
        # Both conditions are written so that NaN, for which every comparison is false, fails them.
        if not np.minimum.reduce(probabilities, axis=None) >= 0:
            raise ValueError(_describe_bad_probabilities(probabilities))
        cumulative = probabilities.cumsum(axis=1, dtype=np.float64)
        totals = cumulative[:, -1:]
        if not np.maximum.reduce(abs(totals - 1.0), axis=None) <= _SUM_TOLERANCE:
            raise ValueError(_describe_bad_probabilities(probabilities))
        # u < 1, so u·total < total also in floating point. So some cumulative sum exceeds the
        # threshold, and the first that does belongs to an action of probability > 0.
        thresholds = self.rng.random((len(totals), 1)) * totals
        actions: NDArray[np.int64] = np.add.reduce(cumulative <= thresholds, axis=1, dtype=np.int64)
        return actions


def first_nan_row(values: Array) -> str:
    """Where the first NaN is, for an error message."""
    row = int(np.isnan(values.reshape(len(values), -1)).any(axis=1).argmax())
    return f"{values[row].tolist()} in row {row}"


def _as_matrix(scores: Array) -> Array:
    """Scores as a (B, A) array with A > 0."""
    if type(scores) is not np.ndarray:  # a subclass, a list, a CPU tensor
        scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(
            f"scores must have shape (batch, actions) with at least one action, got {scores.shape}"
        )
    return scores


def _check_scores(scores: Array) -> Array:
    """Scores as a (B, A) array of numbers without NaN."""
    scores = _as_matrix(scores)
    # A sum of squares is NaN exactly if an entry is (infinities stay infinite), and one such call
    # costs less than half of isnan().any().
    norm = np.vdot(scores, scores)
    if norm != norm:
        raise ValueError(f"scores must not be NaN, got {first_nan_row(scores)}")
    return scores


def _copy_actions(actions: Actions, n_rows: int) -> NDArray[np.int64]:
    """A copy of what a user's selector returned, so that its own array is never written to."""
    array = np.asarray(actions)
    if array.shape != (n_rows,) or (array.dtype.kind not in "iu" and n_rows > 0):
        raise ValueError(
            f"the inner selector must return {n_rows} integers, one per row of the scores, got "
            f"{array.dtype} of shape {array.shape}"
        )
    return array.astype(np.int64)


def _describe_bad_probabilities(probabilities: Array) -> str:
    with np.errstate(invalid="ignore"):
        sums = probabilities.cumsum(axis=1, dtype=np.float64)[:, -1]
    fine = (probabilities >= 0).all(axis=1) & (abs(sums - 1.0) <= _SUM_TOLERANCE)
    row = int(fine.argmin())
    got = f"got {probabilities[row].tolist()}, a sum of {sums[row]:.6g}"
    return f"row {row} of the probabilities must not be negative and must sum to 1, {got}"
