"""The command `loadgen`: everything besides running `locust`."""
