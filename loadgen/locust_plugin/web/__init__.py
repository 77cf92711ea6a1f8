"""Locust's web page: its form, its request guard, and the tab of variants."""
