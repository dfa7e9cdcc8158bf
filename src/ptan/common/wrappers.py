"""The environment wrappers of `ptan.envs`, under the name that programs import them by."""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.envs import AtariSettings, BufferWrapper, ImageToPyTorch, make_atari_vec, wrap_dqn

__all__ = ["AtariSettings", "BufferWrapper", "ImageToPyTorch", "make_atari_vec", "wrap_dqn"]

__getattr__ = lazy_names(__name__, {"ptan.envs": __all__})
