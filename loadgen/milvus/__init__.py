"""The server: embedded ones, and collections that are prepared once and opened many times."""
