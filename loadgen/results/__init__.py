"""What run records say: the figures of each level with their intervals, and how two records differ."""
