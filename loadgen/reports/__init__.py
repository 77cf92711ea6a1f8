"""Reports on run records: one self-contained HTML file, Markdown, JSON or CSV; and the comparison of two records."""
