"""Simulations whose truth is known: what the statistics claim, checked over many of them."""
