"""Warnings that point at the user's own line, however deep in the library they arise."""

import sys
import warnings


def warn_user(text: str) -> None:
    """Issue a UserWarning in the name of the first caller outside this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("ptan."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
