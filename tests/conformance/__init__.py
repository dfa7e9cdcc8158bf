"""Checks for users: right things give no findings, planted bugs do."""
