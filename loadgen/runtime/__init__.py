"""Where users run: an event loop on a thread of its own, OS threads, and the way of samples to Locust's hub."""
