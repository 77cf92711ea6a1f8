"""An embedded Milvus: separate processes, ready when the call returns, stopped when the run ends."""

from loadgen.milvus.server.embedded import EmbeddedServer, start_server
from loadgen.milvus.server.errors import RefusedError, ServerError, describe_failure
from loadgen.milvus.server.kinds import KINDS

__all__ = ["KINDS", "EmbeddedServer", "RefusedError", "ServerError", "describe_failure", "start_server"]
