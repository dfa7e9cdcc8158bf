"""Networks and noisy layers, compared with arithmetic on their parameters."""
