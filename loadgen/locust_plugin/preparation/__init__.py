"""From the request to a run that is ready to begin."""
