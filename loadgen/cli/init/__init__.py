"""`loadgen init`: a folder to begin with, from five answers."""
