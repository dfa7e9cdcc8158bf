"""Speed and memory beside the field's other libraries: `python -m benchmarks`."""
