"""A TCP proxy before a server, in a process of its own: it delays, limits, cuts and holds back what passes."""

from loadgen.milvus.fault_proxy.process import FaultProxy, ProxyError

__all__ = ["FaultProxy", "ProxyError"]
