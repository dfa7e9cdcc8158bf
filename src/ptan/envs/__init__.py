"""Environments: preprocessing, small wrappers, vectors of games."""
