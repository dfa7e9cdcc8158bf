"""Environments: preprocessing, wrappers, vectors, and states in the middle of an episode."""

from typing import TYPE_CHECKING

from ptan.common.lazy import lazy_names

if TYPE_CHECKING:
    from ptan.envs.atari import wrap_dqn
    from ptan.envs.atari_settings import AtariSettings
    from ptan.envs.atari_vector import make_atari_vec
    from ptan.envs.make import make_env
    from ptan.envs.probe import Probe, probe_repeats
    from ptan.envs.repeat import MadeAnew, NotRepeated, RepeatEpisodes
    from ptan.envs.states import CannotSave, load_envs, save_envs
    from ptan.envs.vector import make_vector
    from ptan.envs.wrappers import BufferWrapper, FrameStack1D, ImageToPyTorch

_HOMES = {
    "ptan.envs.atari": ["wrap_dqn"],
    "ptan.envs.atari_settings": ["AtariSettings"],
    "ptan.envs.atari_vector": ["make_atari_vec"],
    "ptan.envs.make": ["make_env"],
    "ptan.envs.probe": ["Probe", "probe_repeats"],
    "ptan.envs.repeat": ["MadeAnew", "NotRepeated", "RepeatEpisodes"],
    "ptan.envs.states": ["CannotSave", "load_envs", "save_envs"],
    "ptan.envs.vector": ["make_vector"],
    "ptan.envs.wrappers": ["BufferWrapper", "FrameStack1D", "ImageToPyTorch"],
}

__all__ = [
    "AtariSettings",
    "BufferWrapper",
    "CannotSave",
    "FrameStack1D",
    "ImageToPyTorch",
    "MadeAnew",
    "NotRepeated",
    "Probe",
    "RepeatEpisodes",
    "load_envs",
    "make_atari_vec",
    "make_env",
    "make_vector",
    "probe_repeats",
    "save_envs",
    "wrap_dqn",
]
__getattr__ = lazy_names(__name__, _HOMES)
