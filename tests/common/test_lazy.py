"""Packages whose names are imported when they are read."""

import sys
import types

import pytest

from ptan.common.lazy import lazy_names


def test_a_name_is_imported_from_its_home_once(monkeypatch):
    package = types.ModuleType("lazy_for_tests")
    monkeypatch.setitem(sys.modules, "lazy_for_tests", package)
    get = lazy_names("lazy_for_tests", {"math": ["pi"], "json": ["dumps", "loads"]})
    assert not hasattr(package, "pi")
    assert get("pi") == 3.141592653589793
    assert package.pi == 3.141592653589793
    assert get("loads")("1") == 1
    with pytest.raises(AttributeError, match="module 'lazy_for_tests' has no attribute 'tau'"):
        get("tau")
