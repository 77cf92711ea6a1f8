"""Locust's web page: its form, who may post to it, and the tab of variants."""
