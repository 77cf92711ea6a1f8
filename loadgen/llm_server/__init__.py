"""An OpenAI-compatible server with known behaviour: delays, tokens, limits and errors are seeded, and it counts itself.

with start_llm_server(Behaviour(first_token="50ms", inter_token="5ms", tokens=20)) as server:
    client = openai.OpenAI(base_url=server.url, api_key="any")
    ...
    server.counts().chat.outcomes
"""

from loadgen.llm_server.behaviour import Behaviour, BehaviourError
from loadgen.llm_server.process import LlmServer, LlmServerError, ServerCounts, ServiceCounts, start_llm_server

__all__ = [
    "Behaviour",
    "BehaviourError",
    "LlmServer",
    "LlmServerError",
    "ServerCounts",
    "ServiceCounts",
    "start_llm_server",
]
