"""What the Prometheus operator accepts, written from its API reference: the fields that the chart uses, and no others.

The published resource definitions are larger; the chart's objects were also checked against those.
"""

from typing import Any

import jsonschema

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
DURATION: Schema = {
    "type": "string",
    "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
}


def _record(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": fields}


def _list(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": item}


EXPRESSION = _record(
    ("key", "operator"), key=TEXT, operator={"enum": ["In", "NotIn", "Exists", "DoesNotExist"]}, values=_list(TEXT)
)
RELABELING = _record(sourceLabels=_list({"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}), targetLabel=TEXT)
ENDPOINT = _record(
    port=TEXT,
    path=TEXT,
    interval=DURATION,
    scrapeTimeout=DURATION,
    relabelings=_list(RELABELING),
    honorLabels={"type": "boolean"},
)
RULE = _record(
    ("expr",),
    record=TEXT,
    alert=TEXT,
    expr={"type": ["string", "integer"]},
    labels=TEXTS,
    annotations=TEXTS,
    **{"for": DURATION},
)
GROUP = _record(("name",), name={"type": "string", "minLength": 1}, interval=DURATION, rules=_list(RULE))
SPECS = {
    "PodMonitor": _record(
        ("selector",),
        jobLabel=TEXT,
        selector=_record(matchLabels=TEXTS, matchExpressions=_list(EXPRESSION)),
        podMetricsEndpoints=_list(ENDPOINT),
    ),
    "PrometheusRule": _record(groups=_list(GROUP)),
}


def faults_of_monitoring(document: Schema) -> list[str]:
    """What the operator's API would not accept."""
    checker = jsonschema.Draft202012Validator(SPECS[document["kind"]])
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document["spec"])]
