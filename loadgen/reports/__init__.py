"""Run records read and drawn: one HTML file that needs no network, Markdown, JSON or CSV; and two records compared."""
