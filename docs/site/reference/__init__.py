"""The reference in docs/, generated from the code: `python -m docs.site.reference` writes it (`make reference`)."""
