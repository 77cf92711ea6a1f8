"""Commands of `loadgen` that a run in many pods needs before it starts."""
