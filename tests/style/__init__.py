"""Words that docs/style.md advises against, counted in everything that git tracks."""
