"""Answers as the wire client reads them: what pymilvus reads from the same bytes; and how errors are reported."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import grpc.aio
import orjson
import pytest
from hypothesis import given, settings, strategies
from pymilvus.client.grpc_handler import GrpcHandler
from pymilvus.client.types import DataType
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from loadgen.clients.outcomes import describe, outcome_of
from loadgen.clients.wire.answers import decode_count, decode_search, decode_written
from loadgen.clients.wire.channel import make_metadata, open_channel, read_config
from loadgen.clients.wire.store import AsyncStore, SyncStore
from loadgen.measure.sample import Mode, Outcome
from loadgen.milvus.store.arguments import connection_arguments
from loadgen.settings.model import Settings
from tests.unit.wire_support import compare_decoders

TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=30)
SCALARS: dict[str, tuple[int, str, strategies.SearchStrategy[Any]]] = {
    "flag": (DataType.BOOL, "bool_data", strategies.booleans()),
    "small": (DataType.INT16, "int_data", strategies.integers(-(2**15), 2**15 - 1)),
    "large": (DataType.INT64, "long_data", strategies.integers(-(2**63), 2**63 - 1)),
    "single": (DataType.FLOAT, "float_data", strategies.floats(width=32, allow_nan=False)),
    "double": (DataType.DOUBLE, "double_data", strategies.floats(allow_nan=False)),
    "text": (DataType.VARCHAR, "string_data", TEXTS),
    "json": (DataType.JSON, "json_data", strategies.dictionaries(TEXTS, TEXTS, max_size=3).map(orjson.dumps)),
}
DYNAMIC = strategies.dictionaries(strategies.sampled_from(["a", "b", "c"]), strategies.integers(0, 9))


@strategies.composite
def replies(draw: Callable[[Any], Any]) -> Any:
    """An answer to a search: some query vectors with some hits each, and fields of all types."""
    counts = draw(strategies.lists(strategies.integers(0, 6), min_size=1, max_size=4))
    hits = sum(counts)

    def some(values: Any) -> list[Any]:
        result: list[Any] = draw(strategies.lists(values, min_size=hits, max_size=hits))
        return result

    data = schema_pb2.SearchResultData(num_queries=len(counts), topks=counts, primary_field_name="pk")
    data.scores.extend(some(strategies.floats(width=32, allow_nan=False, allow_infinity=False)))
    if draw(strategies.booleans()):
        data.ids.int_id.data.extend(some(strategies.integers(-(2**63), 2**63 - 1)))
    else:
        data.ids.str_id.data.extend(some(TEXTS))
    if draw(strategies.booleans()):
        is_number = bool(data.ids.int_id.data)
        field = data.fields_data.add(type=DataType.INT64 if is_number else DataType.VARCHAR, field_name="pk")
        field.scalars.long_data.data.extend(data.ids.int_id.data)
        if not is_number:
            field.scalars.string_data.data.extend(data.ids.str_id.data)
    for name in draw(strategies.lists(strategies.sampled_from(list(SCALARS)), unique=True)):
        kind, attribute, values = SCALARS[name]
        field = data.fields_data.add(type=kind, field_name=name)
        getattr(field.scalars, attribute).data.extend(some(values))
        if name != "json" and draw(strategies.booleans()):
            field.valid_data.extend(some(strategies.booleans()))
    if draw(strategies.booleans()):
        field = data.fields_data.add(type=DataType.ARRAY, field_name="tags")
        field.scalars.array_data.element_type = DataType.INT64
        for numbers in some(strategies.lists(strategies.integers(0, 99), min_size=1, max_size=3)):
            field.scalars.array_data.data.add().long_data.data.extend(numbers)
    field = data.fields_data.add(type=DataType.FLOAT_VECTOR, field_name="vector")
    field.vectors.dim = 2
    field.vectors.float_vector.data.extend([1.0] * 2 * hits)
    if draw(strategies.booleans()):
        field = data.fields_data.add(type=DataType.JSON, field_name="$meta", is_dynamic=True)
        field.scalars.json_data.data.extend(orjson.dumps(one) for one in some(DYNAMIC))
        data.output_fields.extend(draw(strategies.sampled_from([["a", "text"], ["b", "c"]])))
    return milvus_pb2.SearchResults(results=data)


@settings(max_examples=100, deadline=None)
@given(replies())
def test_both_decoders_agree(reply: Any) -> None:
    compare_decoders(reply.SerializeToString())


def test_all_names_of_a_dynamic_field_are_columns_if_all_fields_were_requested() -> None:
    data = schema_pb2.SearchResultData(num_queries=1, topks=[2], scores=[1, 0.5])
    data.ids.str_id.data.extend(["x", "y"])
    field = data.fields_data.add(type=DataType.JSON, field_name="$meta", is_dynamic=True)
    field.scalars.json_data.data.extend([b'{"a":1}', b'{"b":[2]}'])
    result = decode_search(milvus_pb2.SearchResults(results=data).SerializeToString())
    assert result.columns == {"a": [1, None], "b": [None, [2]]}


def test_rows_without_any_dynamic_value_are_hits_like_all_others() -> None:
    data = schema_pb2.SearchResultData(num_queries=1, topks=[3], scores=[1, 0.5, 0.25])
    data.ids.int_id.data.extend([7, 8, 9])
    field = data.fields_data.add(type=DataType.JSON, field_name="$meta", is_dynamic=True)
    field.scalars.json_data.data.extend([b'{"a":1}', b"", b"{}"])
    field.valid_data.extend([True, False, True])
    data.output_fields.append("a")
    result = decode_search(milvus_pb2.SearchResults(results=data).SerializeToString())
    assert (result.ids, result.columns) == ([7, 8, 9], {"a": [1, None, None]})


@pytest.mark.parametrize("valid", [[], [False, False]])
def test_a_field_without_any_value_has_none_for_each_hit(valid: list[bool]) -> None:
    data = schema_pb2.SearchResultData(num_queries=2, topks=[1, 1], scores=[1, 0.5])
    data.ids.int_id.data.extend([7, 8])
    field = data.fields_data.add(type=DataType.VARCHAR, field_name="text")
    field.valid_data.extend(valid)
    result = compare_decoders(milvus_pb2.SearchResults(results=data).SerializeToString())
    assert (result.ids, result.columns) == ([7, 8], {"text": [None, None]})


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ({"code": 8, "error_code": "RateLimit", "reason": "rate limit exceeded"}, Outcome.THROTTLED),
        ({"code": 0, "error_code": "UnexpectedError", "reason": "an old server"}, Outcome.FAILED),
        ({"code": 100, "reason": "collection not found"}, Outcome.REJECTED),
        ({"code": 101, "reason": "collection not loaded"}, Outcome.UNAVAILABLE),
        ({"code": 1100, "reason": "invalid parameter"}, Outcome.REJECTED),
    ],
)
def test_an_answer_with_an_error_raises_it_with_code_and_reason(status: dict[str, Any], outcome: Outcome) -> None:
    reported = common_pb2.Status(**status)
    for decode, kind in (
        (decode_search, milvus_pb2.SearchResults),
        (decode_written, milvus_pb2.MutationResult),
        (decode_count, milvus_pb2.QueryResults),
    ):
        with pytest.raises(MilvusException) as raised:
            decode(kind(status=reported).SerializeToString())
        assert outcome_of(raised.value) is outcome
        assert describe(raised.value) == status["reason"]


def test_a_write_returns_ids_as_texts_and_when_it_was_written() -> None:
    ids = schema_pb2.IDs(int_id=schema_pb2.LongArray(data=[5, 6]))
    assert decode_written(milvus_pb2.MutationResult(IDs=ids, timestamp=9).SerializeToString()) == (["5", "6"], 9)
    ids = schema_pb2.IDs(str_id=schema_pb2.StringArray(data=["a"]))
    assert decode_written(milvus_pb2.MutationResult(IDs=ids).SerializeToString()) == (["a"], 0)


class Channel:
    """Answers each call with the next of some replies, and keeps what it was called with."""

    def __init__(self, replies: list[bytes], *, is_async: bool) -> None:
        self.replies = replies
        self.sent: list[tuple[str, bytes, dict[str, Any]]] = []
        self._is_async = is_async

    def unary_unary(self, path: str) -> Callable[..., Any]:
        def call(request: bytes, **given: Any) -> Any:
            self.sent.append((path.rpartition("/")[2], request, given))
            reply = self.replies.pop(0)
            return _awaited(reply) if self._is_async else reply

        return call


async def _awaited(reply: bytes) -> bytes:
    return reply


def connected(kind: type[Any], replies: list[bytes], **given: Any) -> tuple[Any, Channel]:
    """A store that has connected to a channel, with the number 17 from its server."""
    store = kind(Settings.parse({"token": "root:Milvus", "host": "http://example.org:19530"} | given))
    store._channel = channel = Channel(replies, is_async=kind is AsyncStore)
    described = milvus_pb2.DescribeCollectionResponse(collection_name="c")
    store._learn(milvus_pb2.ConnectResponse(identifier=17), described)
    return store, channel


LIMITED = milvus_pb2.SearchResults(status=common_pb2.Status(code=8, error_code="RateLimit", reason="slow down"))
GOOD = milvus_pb2.SearchResults(results=schema_pb2.SearchResultData(topks=[0]))


@pytest.mark.parametrize("kind", [SyncStore, AsyncStore])
@pytest.mark.parametrize("retries", [0, 2])
def test_a_refused_search_is_repeated_as_often_as_the_settings_say(kind: type[Any], retries: int) -> None:
    replies = [LIMITED.SerializeToString()] * 2 + [GOOD.SerializeToString()]
    store, channel = connected(kind, replies, retries=retries)

    def search() -> Any:
        result = store.search(b"request", timeout=3.0)
        return asyncio.run(result) if kind is AsyncStore else result

    if retries:
        assert search().ids == []
    else:
        with pytest.raises(MilvusException) as raised:
            search()
        assert outcome_of(raised.value) is Outcome.THROTTLED
    assert len(channel.sent) == retries + 1
    method, request, given = channel.sent[0]
    assert (method, request, given["timeout"]) == ("Search", b"request", 3.0)
    pairs = [("dbname", ""), ("authorization", "cm9vdDpNaWx2dXM="), ("identifier", "17")]
    assert sorted(given["metadata"]) == sorted(pairs)
    assert all(one[2]["metadata"] is given["metadata"] for one in channel.sent)


@pytest.mark.parametrize("upserts", [False, True])
def test_rows_are_upserted_if_the_settings_say_so(upserts: bool) -> None:
    store, channel = connected(SyncStore, [milvus_pb2.MutationResult().SerializeToString()], upsert=upserts)
    store.insert(b"rows")
    assert channel.sent[0][0] == ("Upsert" if upserts else "Insert")


@pytest.mark.parametrize(
    ("given", "is_secure"),
    [
        ({"host": "http://127.0.0.1:19530"}, False),
        ({"host": "http://milvus.example.org:19530", "deadline": 3.5}, False),
        ({"host": "https://milvus.example.org", "server_name": "other"}, True),
    ],
)
def test_a_channel_has_the_address_and_the_options_of_pymilvus(
    given: dict[str, Any], is_secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, Any]] = []
    blocking = ["insecure_channel", "secure_channel"]
    arguments = connection_arguments(Settings.parse(given), 5.0)

    def note(name: str, address: str, *_: Any, options: list[tuple[str | bytes, Any]]) -> None:
        named = {key.decode() if isinstance(key, bytes) else key: value for key, value in options}
        opened.append((name, (address, named)))

    for library in (grpc, grpc.aio):
        for name in blocking:
            monkeypatch.setattr(library, name, partial(note, name))
    config = read_config(arguments)
    handler = object.__new__(GrpcHandler)
    kwargs = config.get_handler_kwargs()
    handler._grpc_options = kwargs.get("grpc_options", {})
    handler._authorization_interceptor = None
    handler._set_authorization(**kwargs)
    handler._create_grpc_channel(config.address)
    open_channel(config, Mode.SYNC)
    open_channel(config, Mode.ASYNC)
    (name, (address, options)), *ours = opened
    assert name == blocking[is_secure]
    assert ours == [(name, (address, options))] * 2


def test_metadata_name_the_database_and_the_token() -> None:
    arguments = connection_arguments(Settings.parse({"host": "http://127.0.0.1:1", "database": "mine"}), 5.0)
    assert make_metadata(read_config(arguments)) == (("dbname", "mine"),)
