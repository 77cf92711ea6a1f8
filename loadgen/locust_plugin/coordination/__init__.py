"""Locust's shapes, runners and network as the coordinator and the agents use them."""
