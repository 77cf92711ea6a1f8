"""The files: a locustfile, Locust's config file and values of the Helm chart."""

import json
from collections.abc import Mapping
from pathlib import Path

from loadgen.cli.init.answers import Answers

LOCUSTFILE, CONFIG, VALUES = "locustfile.py", "locust.conf", "values.yaml"

OWN_CALLS = """

# A call of your own is timed like those of the client, under any name: in a SyncUser with `with`, in an AsyncUser with
# `async with`. It is in table, report, metrics and --require beside the others. The page "Your own locustfile" of the
# documentation has all that a user can do.
#
#     @task
#     async def ask(self) -> None:
#         async with self.measure("ask") as call:
#             answer = await my_engine.aquery("...")
#             call.rows = len(answer.source_nodes)
"""

SETTINGS = """\
# Read by `locust` in this folder, before variables and flags. `loadgen settings` lists all keys with their meaning.

headless = true
only-summary = true
"""

HOST = """
# The Milvus to measure.{credentials}
host = {host}
"""

NO_HOST = """
# Without an address a Milvus is started for each run: the standalone server, if it is installed by
#   pip install 'milvus-loadgen[server]'
# and otherwise Milvus Lite, which is slow. Name yours here, and check it with `loadgen doctor`.
# host = http://my-milvus:19530
"""

CREDENTIALS = """ If it requires credentials, they come from the environment:
#   export LOADGEN_TOKEN=user:password"""

LOAD = """
# Numbers of concurrent users; at each, all variants take turns. More rounds and longer phases give narrower intervals.
concurrency = {concurrency}
rounds = 2
phase-seconds = 20
warmup-seconds = 3
"""

OWN_DATA = """
# Your own collection, as it is: its index, its rows, queries made from them.
existing = true
collection = {collection}
# Queries of your own instead, a file of vectors; "Your own data" in the documentation lists the formats:
# query-file = queries.npy
"""

MODELS = """
# Documents, questions and models need more packages: pip install 'milvus-loadgen[rag]'
# "The whole RAG path" in the documentation has all that can be chosen.
"""

DOCUMENTS = """
# A file or folder of .txt, .md and .pdf documents; without it texts are generated. Without `llm` a model is simulated.
# documents = my-docs
# embedding = openai:MODEL
# llm = openai:MODEL
"""

OWN_DOCUMENTS = """
# Your own collection, as it is, and the embedding model with which it was filled.
existing = true
collection = {collection}
# embedding = openai:MODEL
"""

QUESTIONS = """# Questions are required. Each is a line, such as {"question": "...", "documents": ["guide.md"]}:
# questions = questions.jsonl
"""

ALLOW_WRITES = """# The users insert, and delete in the end what the run has inserted.
allow-writes = true
"""

NEW_DATA = """
# Generated data. The next run with the same data reuses the collection. A million rows take minutes to load.
rows = 10000
dim = 768
"""

REQUIRE = """
# The run ends with exit code 1 if one of these does not hold.
{requirements}"""

NO_REQUIRE = """
# The run ends with exit code 1 if this does not hold:
# require = search async p99 < 50 ms
"""

RECORD = """
# All figures of a run in one file: `loadgen report` draws it, `loadgen compare` compares two.
record = runs
"""

CHART = """\
# The same run on Kubernetes, by the chart of a release. Replace OWNER, here and below, by the owner of the repository
# from which milvus-loadgen is released ("Releases" in the documentation), or name copies in your own registry.
#   helm install first-run oci://ghcr.io/OWNER/charts/milvus-loadgen -f values.yaml \\
#     --set-file 'locustfile.inline.locustfile\\.py=locustfile.py'
image:
  repository: ghcr.io/OWNER/milvus-loadgen
milvus:
  # As the pods reach it.
  uri: {uri}
  # kubectl create secret generic milvus-token --from-literal=token=user:password
  # token:
  #   existingSecret: milvus-token
locustfile:
  name: locustfile.py
workers:
  # Each uses about one core.
  replicas: 2
# As in locust.conf.
loadgen:
{settings}"""


def make_files(answers: Answers, locustfile: Path) -> Mapping[str, str]:
    """The texts by the names of their files; `locustfile` is that of the package."""
    return {
        LOCUSTFILE: locustfile.read_text() + OWN_CALLS,
        CONFIG: _config(answers),
        VALUES: _values(answers),
    }


def _config(answers: Answers) -> str:
    parts = [SETTINGS]
    parts.append(HOST.format(host=answers.host, credentials=CREDENTIALS) if answers.host else NO_HOST)
    parts.append(_data(answers))
    parts += [ALLOW_WRITES] if answers.writes else []
    parts.append(LOAD.format(concurrency=answers.concurrency))
    required = "".join(f"require = {one}\n" for one in answers.requirements)
    parts.append(REQUIRE.format(requirements=required) if required else NO_REQUIRE)
    return "".join((*parts, RECORD))


def _data(answers: Answers) -> str:
    """Documents decide rows and dimension, so a file for a RAG workload has neither."""
    own = {"collection": answers.collection}
    if not answers.workload.startswith("rag_"):
        return OWN_DATA.format(**own) if answers.collection else NEW_DATA
    questions = QUESTIONS if answers.workload == "rag_query" else ""
    return MODELS + (OWN_DOCUMENTS.format(**own) + questions if answers.collection else DOCUMENTS)


def _values(answers: Answers) -> str:
    settings: dict[str, object] = answers.as_settings() | {"rounds": 2, "phase_seconds": 20, "warmup_seconds": 3}
    settings["concurrency"] = [int(part) for part in answers.concurrency.split(",")]
    lines = "".join(f"  {name.replace('_', '-')}: {json.dumps(value)}\n" for name, value in settings.items())
    uri = json.dumps(answers.host or "http://my-milvus:19530")
    return CHART.format(uri=uri, settings=lines)
