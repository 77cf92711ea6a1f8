"""What is called and timed: one operation in, one sample out. Each client layer is a folder."""

from loadgen.clients.base import Client, ClosedError
from loadgen.clients.layers import DataSource, Layer, find_layer

__all__ = ["Client", "ClosedError", "DataSource", "Layer", "find_layer"]
