"""The command `loadgen`: what a person types beside `locust`."""
