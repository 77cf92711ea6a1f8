"""The Grafana dashboards as code: `python -m dashboards` writes the JSON in the chart; do not edit that by hand."""
