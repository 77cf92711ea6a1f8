"""What `make dist` and the release workflow run."""
