"""The documentation. Its pages are Markdown; `site` makes a site of them and writes the reference."""
