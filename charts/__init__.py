"""What is generated into the chart."""
