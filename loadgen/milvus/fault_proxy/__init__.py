"""A TCP proxy in front of a server, in a separate process: it delays, limits, cuts and blocks traffic."""

from loadgen.milvus.fault_proxy.process import FaultProxy, ProxyError

__all__ = ["FaultProxy", "ProxyError"]
