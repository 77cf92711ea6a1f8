"""Where users run: an event loop on a separate thread, OS threads, and the bridge to Locust's hub."""
