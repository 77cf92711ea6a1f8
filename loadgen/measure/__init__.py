"""What is measured: samples, their statistics per phase, and the health of the load generator itself."""
