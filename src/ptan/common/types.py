"""Names for what all parts exchange."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import gymnasium
import numpy.typing as npt
from gymnasium.vector import VectorEnv

Array: TypeAlias = npt.NDArray[Any]

Observation: TypeAlias = Any
"""What an environment shows: an array, a number, text, or nested dicts and tuples of them."""

Observations: TypeAlias = Any
"""Those of N environments: an array (N, *obs), nested arrays, or a list of N."""

Action: TypeAlias = Any
"""What `env.step` takes."""

Actions: TypeAlias = Any
"""Those of N environments: an array (N, *action), or a list of N."""

Item: TypeAlias = Any
"""What a source yields and a buffer keeps: a row, a tuple of rows, or any other object."""

Env: TypeAlias = gymnasium.Env[Any, Any]
VecEnv: TypeAlias = VectorEnv[Any, Any, Any]
Space: TypeAlias = gymnasium.Space[Any]

AnyEnv: TypeAlias = Any
"""An environment of Gymnasium, or an old-style one of Gym."""

Envs: TypeAlias = Any
"""One environment, a list of them, or a vector environment."""

Info: TypeAlias = dict[str, Any]
"""What an environment adds to an observation."""

State: TypeAlias = dict[str, Any]
"""A state tree: nested dicts, lists and tuples of None, bools, numbers, text, arrays, tensors."""

SavedState: TypeAlias = Mapping[str, Any]
"""A state tree on its way back; it is not changed."""
