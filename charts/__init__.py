"""Generates parts of the chart."""
