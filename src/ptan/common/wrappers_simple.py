"""`FrameStack1D` of `ptan.envs`, under the name that programs import it by."""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.envs import FrameStack1D

__all__ = ["FrameStack1D"]

__getattr__ = lazy_names(__name__, {"ptan.envs": __all__})
