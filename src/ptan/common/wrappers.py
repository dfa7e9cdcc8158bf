"""The environment wrappers of `ptan.envs`, under the name that programs import them by."""

from ptan.envs import AtariSettings, BufferWrapper, ImageToPyTorch, make_atari_vec, wrap_dqn

__all__ = ["AtariSettings", "BufferWrapper", "ImageToPyTorch", "make_atari_vec", "wrap_dqn"]
