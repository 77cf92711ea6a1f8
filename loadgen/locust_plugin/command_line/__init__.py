"""The command line, its variables and config files: settings as arguments of Locust, and faults before a start."""
