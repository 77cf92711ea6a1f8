"""What a person sees during a run."""
