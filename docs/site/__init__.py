"""The documentation as a site: `python -m docs.site` builds it (`make docs`)."""
