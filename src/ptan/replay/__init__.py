"""Replay: where transitions are kept, and how batches are drawn from them.

`ptan.experience` has the public names; the modules here are where they live.
"""
