"""Environments: preprocessing, wrappers, vectors, and states in the middle of an episode."""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.envs.atari import wrap_dqn
    from ptan.envs.atari_settings import AtariSettings
    from ptan.envs.atari_vector import make_atari_vec
    from ptan.envs.make import make_env, make_vector
    from ptan.envs.repeat import MadeAnew, NotRepeated, RepeatEpisodes
    from ptan.envs.states import CannotSave, Probe, load_envs, probe_repeats, save_envs
    from ptan.envs.wrappers import BufferWrapper, FrameStack1D, ImageToPyTorch

__all__ = ["AtariSettings", "BufferWrapper", "CannotSave", "FrameStack1D", "ImageToPyTorch"]
__all__ += ["MadeAnew", "NotRepeated", "Probe", "RepeatEpisodes", "load_envs", "make_atari_vec"]
__all__ += ["make_env", "make_vector", "probe_repeats", "save_envs", "wrap_dqn"]
__getattr__ = lazy_names(  # settings are read without Gymnasium
    __name__,
    {
        "ptan.envs.atari": ["wrap_dqn"],
        "ptan.envs.atari_settings": ["AtariSettings"],
        "ptan.envs.atari_vector": ["make_atari_vec"],
        "ptan.envs.make": ["make_env", "make_vector"],
        "ptan.envs.repeat": ["MadeAnew", "NotRepeated", "RepeatEpisodes"],
        "ptan.envs.states": ["CannotSave", "Probe", "load_envs", "probe_repeats", "save_envs"],
        "ptan.envs.wrappers": ["BufferWrapper", "FrameStack1D", "ImageToPyTorch"],
    },
)
