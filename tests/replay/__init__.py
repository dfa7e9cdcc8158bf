"""Replay buffers and batches, compared with a plain Python list of rows."""
