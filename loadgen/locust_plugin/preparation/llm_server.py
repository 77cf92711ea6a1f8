"""The simulated LLM server of a run: started by the process that conducts it, and ended with the run."""

from loadgen.llm_server import LlmServer, start_llm_server
from loadgen.settings.model import Settings
from loadgen.settings.rag_conflicts import is_rag
from loadgen.settings.variants import find_variants, settings_of

SIMULATED = "simulated"


def needs_server(settings: Settings) -> bool:
    """Whether a variant uses a simulated model of which no address is given."""
    if not is_rag(settings) or settings.simulated_url:
        return False
    variants = (settings_of(settings, one) for one in find_variants(settings))
    models = (
        (model, url) for one in variants for model, url in ((one.llm, one.llm_url), (one.embedding, one.embedding_url))
    )
    return any(model.partition(":")[0] == SIMULATED and not url for model, url in models)


class RunLlmServer:
    """At most one server at a time."""

    def __init__(self) -> None:
        self._server: LlmServer | None = None

    def start(self) -> str:
        """Start one with the default behaviour; returns its base URL. Raises LlmServerError."""
        self.stop()
        self._server = start_llm_server()
        return self._server.url

    def stop(self) -> None:
        """End it, if there is one."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
