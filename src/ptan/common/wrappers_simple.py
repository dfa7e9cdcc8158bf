"""`FrameStack1D` of `ptan.envs`, under the name that programs import it by."""

from ptan.envs import FrameStack1D

__all__ = ["FrameStack1D"]
