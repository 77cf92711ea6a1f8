"""The settings: their model, the rules between them, and their errors."""
