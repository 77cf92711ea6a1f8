"""From what was asked for to a run that may begin."""
