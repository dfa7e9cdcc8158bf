"""What happens when blocks are given something wrong: which error, and what is left unchanged."""
