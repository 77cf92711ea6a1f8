"""Sphinx's configuration. Nothing is loaded from another host, and everything works from a folder."""

project = "milvus-loadgen"
extensions = ["myst_parser"]
root_doc = "docs/README"

# Links to headings have the same names as on a forge; a link to one that does not exist is a warning, and so an error.
myst_heading_anchors = 4

smartquotes = False  # what is quoted is often to be typed

html_theme = "furo"
html_title = "milvus-loadgen"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_domain_indices = False
# Summaries of results would be fetched, which a browser does not allow for files.
html_show_search_summary = False
