"""The Grafana dashboards as code: `python -m dashboards` writes the JSON in the chart, which nobody edits."""
