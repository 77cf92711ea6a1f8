"""A Milvus of one's own: started as processes apart from the run, ready when it returns, gone when the run is gone."""

from loadgen.milvus.server.embedded import EmbeddedServer, start_server
from loadgen.milvus.server.errors import RefusedError, ServerError, describe_failure
from loadgen.milvus.server.kinds import KINDS

__all__ = ["KINDS", "EmbeddedServer", "RefusedError", "ServerError", "describe_failure", "start_server"]
