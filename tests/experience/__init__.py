"""Tests of ``ptan.experience``."""
