"""Locust's shapes, runners and network, adapted for the coordinator and the agents."""
