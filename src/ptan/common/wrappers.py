"""The environment wrappers of `ptan.envs`, under the name that programs import them by."""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.envs.atari import wrap_dqn
    from ptan.envs.atari_settings import AtariSettings
    from ptan.envs.atari_vector import make_atari_vec
    from ptan.envs.wrappers import BufferWrapper, ImageToPyTorch

__all__ = ["AtariSettings", "BufferWrapper", "ImageToPyTorch", "make_atari_vec", "wrap_dqn"]

_HOMES = {
    "ptan.envs.atari": ["wrap_dqn"],
    "ptan.envs.atari_settings": ["AtariSettings"],
    "ptan.envs.atari_vector": ["make_atari_vec"],
    "ptan.envs.wrappers": ["BufferWrapper", "ImageToPyTorch"],
}
__getattr__ = lazy_names(__name__, _HOMES)
