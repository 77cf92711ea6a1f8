"""Messages survive the way between processes, and nothing else is taken for one."""

from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass
from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.control import messages
from loadgen.control.messages import (
    Answer,
    Command,
    FromAgent,
    Hello,
    Message,
    MessageError,
    OpenWindow,
    Prepare,
    Report,
    ShareFrom,
    decode,
    encode,
)
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.settings.model import Settings

KINDS: list[type[Any]] = [*get_args(Command), *get_args(FromAgent)]
NAMES = {kind: next(one.default for one in fields(kind) if one.name == "kind") for kind in KINDS}
numbers = st.integers(0, 2**40)
seconds = st.floats(0, 1e9)
words = st.text("ab7 \r\x1b\0é字🙂", max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | words | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=4,
)
"""Whatever msgpack knows."""
tables = st.dictionaries(words, plain, max_size=3)
modes = st.sampled_from(Mode)
points = st.tuples(seconds, seconds)
curves = st.lists(st.tuples(words, st.lists(points, max_size=2).map(tuple)), max_size=2).map(tuple)
phases = st.builds(
    Phase,
    *(numbers, modes, numbers, seconds, seconds, words, words, numbers, words, seconds),
    curves=curves,
    started_at=seconds,
    attempt=numbers,
    workers=numbers,
)
shares = st.builds(ShareFrom, seconds, numbers, numbers)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("settings", "body"), tables),
    "ground_truths": st.lists(tables, max_size=2).map(tuple),
    "collections": st.dictionaries(words, tables, max_size=2),
    **dict.fromkeys(("run_id", "reason", "version", "locustfile", "parent", "error", "data"), words),
    **dict.fromkeys(("sequence", "number", "in_flight", "report"), numbers),
    "labels": st.dictionaries(words, words, max_size=3),
    "phase": phases,
    "share": shares | st.none(),
    "elapsed": seconds,
    "variant": words,
    "is_over": st.booleans(),
    "value": plain,
}


PARTS: dict[str, Any] = {
    **{name: {"x": "y"} for name in ("settings", "body", "labels")},
    "ground_truths": ({"x": "y"},),
    "collections": {"papers": {"x": "y"}},
    **dict.fromkeys(("run_id", "reason", "version", "locustfile", "data"), "text"),
    **dict.fromkeys(("sequence", "number", "report"), 7),
    "phase": Phase(0, Mode.SYNC, 8),
    "share": ShareFrom(0.5, 1, 2),
    "variant": "async connections=4",
    "is_over": True,
}
"""A value for each part that a message cannot do without."""


def strategy_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    given = {one.name: FIELDS[one.name] for one in fields(kind) if one.name != "kind"}
    if kind is messages.Reshare:
        given["share"] = shares
    return st.builds(kind, **given)


def travelled(message: Message) -> Any:
    return msgpack.unpackb(msgpack.packb(encode(message)))


@given(st.one_of([strategy_of(kind) for kind in KINDS]))
def test_every_message_is_the_same_on_the_other_side(message: Message) -> None:
    assert decode(travelled(message)) == message


@given(plain | st.fixed_dictionaries({"kind": words | st.sampled_from([*NAMES.values()])}, optional=FIELDS))
def test_anything_else_is_an_error_in_one_line_or_a_message(data: object) -> None:
    try:
        message: object = decode(data)
    except MessageError as error:
        message = error
    assert type(message) in (*KINDS, MessageError)
    assert not isinstance(message, MessageError) or str(message).isprintable()


@pytest.mark.parametrize(
    "data", [None, 5, "hello", b"\x00", [], {}, {"kind": None}, {"kind": "no_such"}, {"order": "x"}]
)
def test_what_has_no_kind_of_ours_is_refused(data: object) -> None:
    with pytest.raises(MessageError):
        decode(data)


def required() -> list[tuple[type[Any], str]]:
    """Every part that a message cannot do without."""
    return [
        (kind, one.name)
        for kind in KINDS
        for one in fields(kind)
        if one.name != "kind" and one.default is MISSING and one.default_factory is MISSING
    ]


@pytest.mark.parametrize(("kind", "name"), required(), ids=lambda value: getattr(value, "__name__", value))
def test_a_message_without_one_of_its_parts_is_refused_and_the_part_named(kind: type[Any], name: str) -> None:
    data = travelled(kind(**{one.name: PARTS[one.name] for one in fields(kind) if one.name in PARTS}))
    assert decode(data).kind == NAMES[kind]
    del data[name]
    with pytest.raises(MessageError, match=name):
        decode(data)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"kind": "open_window", "phase": "first"}, "open_window.phase"),
        ({"kind": "open_window", "phase": {"number": 0, "mode": "both", "concurrency": 8}}, "open_window.phase.mode"),
        ({"kind": "open_window", "phase": {"number": 0, "mode": "sync"}}, "open_window.phase.concurrency"),
        ({"kind": "is_over", "number": "many"}, "is_over.number"),
        ({"kind": "answer", "run_id": 7, "sequence": 1}, "answer.run_id"),
        ({"kind": "report", "run_id": "one", "sequence": 1, "body": []}, "report.body"),
        ({"kind": "hello", "version": None, "locustfile": "x"}, "hello.version"),
    ],
)
def test_a_part_of_another_type_is_refused_and_its_place_named(data: object, place: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode(data)
    assert str(caught.value).startswith(f"{place}: ")


def test_an_error_does_not_repeat_what_was_sent() -> None:
    data = encode(Prepare(Settings(token="root:S3cret").as_message(), "one", 1)) | {"sequence": "root:S3cret"}
    with pytest.raises(MessageError) as caught:
        decode(data)
    assert "S3cret" not in str(caught.value)


def test_settings_arrive_with_all_their_values() -> None:
    settings = Settings.model_validate(
        {"token": "root:S3cret", "concurrency": "1,8", "index_params": "M=8", "require": "search p99 < 5 ms"}
    )
    reported = decode(travelled(Prepare(settings.as_message(), "one", 1)))
    assert isinstance(reported, Prepare)
    assert Settings.parse(reported.settings) == settings


def test_messages_are_frozen_values_with_a_run_and_a_number() -> None:
    for kind in KINDS:
        assert is_dataclass(kind)
        assert {"run_id", "sequence", "kind"} <= {one.name for one in fields(kind)}
        made: Any = kind(**{one.name: PARTS[one.name] for one in fields(kind) if one.name in PARTS})
        with pytest.raises(FrozenInstanceError):
            made.sequence = 8
    assert len(set(NAMES.values())) == len(KINDS)


def test_a_message_of_a_later_version_may_say_more() -> None:
    data = encode(OpenWindow(Phase(0, Mode.SYNC, 8), ShareFrom(0.5, 1, 2), 0.25, "one", 7)) | {"more": 1}
    assert decode(data) == OpenWindow(Phase(0, Mode.SYNC, 8), ShareFrom(0.5, 1, 2), 0.25, "one", 7)


@pytest.mark.parametrize(
    "message",
    [Hello("1", "x", "", "one", 1), Answer("one", 1, {"connections": 2}), Report("one", 1, {"windows": []}, 3)],
)
def test_what_an_agent_says_is_no_command(message: Message) -> None:
    assert isinstance(decode(travelled(message)), FromAgent)
    assert not isinstance(decode(travelled(message)), Command)


@pytest.mark.parametrize("kind", get_args(Command), ids=lambda kind: NAMES[kind])
def test_a_command_that_was_not_sent_has_no_run_and_the_number_0(kind: type[Any]) -> None:
    defaults = {one.name: one.default for one in fields(kind)}
    assert defaults["run_id"] in ("", MISSING)
    assert defaults.get("sequence", 0) in (0, MISSING)


def test_what_is_sent_of_an_unnumbered_command_is_its_kind_with_no_run_and_the_number_0() -> None:
    assert encode(messages.CountUsers()) == {"run_id": "", "sequence": 0, "kind": "count_users"}
