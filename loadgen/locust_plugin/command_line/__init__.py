"""Command line, variables and config files: settings as Locust arguments, and faults before the start."""
