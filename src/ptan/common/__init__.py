"""Trackers, validators, generators, and the names by which programs import wrappers."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptan.common import memory, utils, wrappers, wrappers_simple

__all__ = ["memory", "utils", "wrappers", "wrappers_simple"]


def __getattr__(name: str) -> ModuleType:
    """Import the modules on first use: some need PyTorch, and settings are read without it."""
    if name in __all__:
        return import_module(f"ptan.common.{name}")
    raise AttributeError(f"module 'ptan.common' has no attribute {name!r}")
