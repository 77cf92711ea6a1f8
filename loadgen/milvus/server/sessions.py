"""Sessions that an ended Milvus leaves in its data, for which its successor would wait nearly a minute."""

import base64
import http.client
import json
from collections.abc import Collection
from typing import Any

FIRST = b"by-dev/meta/session/"
END = b"by-dev/meta/session0"
"""The key after the last with that beginning ("0" follows "/")."""


def list_sessions(etcd_port: int) -> frozenset[bytes]:
    """The sessions of a server that is to be killed. Raises `OSError` if its etcd does not answer."""
    return frozenset(base64.b64decode(item["value"]) for item in _list(etcd_port))


def _list(etcd_port: int) -> list[dict[str, str]]:
    result = _call(etcd_port, "range", {"key": _encode(FIRST), "range_end": _encode(END)}).get("kvs", [])
    return list(result)


def forget_sessions(etcd_port: int, own_ports: Collection[int], ended: Collection[bytes] = ()) -> int:
    """Delete the sessions with a port that is not this server's, and the `ended` ones; returns their number.

    They belong to a server that has ended: its lease of 30 s starts anew with the etcd inside Milvus. A session of this
    server is never touched, as it names one of `own_ports`. Raises `OSError` while etcd does not answer.
    """
    values = [(item["key"], base64.b64decode(item["value"])) for item in _list(etcd_port)]
    stale = [key for key, value in values if value in ended or is_stale(value, own_ports)]
    for key in stale:
        _call(etcd_port, "deleterange", {"key": key})
    return len(stale)


def is_stale(value: bytes, own_ports: Collection[int]) -> bool:
    """The session's address, such as 127.0.0.1:41681, has a port of another server; a counter is not a session."""
    try:
        session = json.loads(value)
        port = int(session["Address"].rpartition(":")[2])
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return port not in own_ports


def _encode(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _call(port: int, verb: str, body: dict[str, str]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("POST", f"/v3/kv/{verb}", json.dumps(body))
        answer = json.loads(connection.getresponse().read())
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"etcd gave no answer ({error!r})") from None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}
