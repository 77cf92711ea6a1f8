"""Inputs that have to be refused, as tables, and what runs a command for each of them in a moment."""
