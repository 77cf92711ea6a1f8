"""The lowest versions that pyproject.toml allows, and a short real run with them."""
