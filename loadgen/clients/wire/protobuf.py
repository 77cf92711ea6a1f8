"""Protobuf's wire format, as far as messages are cut into fields and composed of them.

https://protobuf.dev/programming-guides/encoding/
"""

from typing import NamedTuple

VARINT, I64, LEN, I32 = 0, 1, 2, 5
FIXED = {I64: 8, I32: 4}
"""Bytes of the types of fixed length."""
CONTINUED, LOW = 0x80, 0x7F


class MessageField(NamedTuple):
    """One field of a message."""

    number: int
    raw: bytes
    """With key and length."""
    payload: bytes
    """The content of a field of type LEN; of others nothing."""


def write_varint(value: int) -> bytes:
    """An unsigned number, seven bits a byte, the lowest first."""
    written = bytearray()
    while value > LOW:
        written.append(value & LOW | CONTINUED)
        value >>= 7
    written.append(value)
    return bytes(written)


def write_number(number: int, value: int) -> bytes:
    """A VARINT field; empty for 0, which is the default and not sent."""
    return write_varint(number << 3 | VARINT) + write_varint(value) if value else b""


def write_head(number: int, length: int) -> bytes:
    """Key and length of a LEN field whose content follows."""
    return write_varint(number << 3 | LEN) + write_varint(length)


def write_text(number: int, text: str) -> bytes:
    """A text field; empty for an empty text, which is the default and not sent."""
    content = text.encode()
    return write_head(number, len(content)) + content if content else b""


def split(message: bytes) -> list[MessageField]:
    """The fields of a message, in their order. Raises ValueError for bytes that are no message."""
    fields = []
    start = 0
    while start < len(message):
        key, at = _read_varint(message, start)
        kind, begun = key & 7, at
        if kind == VARINT:
            _, at = _read_varint(message, at)
        elif kind == LEN:
            length, begun = _read_varint(message, at)
            at = begun + length
        elif kind in FIXED:
            at += FIXED[kind]
        else:
            raise ValueError(f"field {key >> 3} has the unknown type {kind}")
        if at > len(message):
            raise ValueError(f"field {key >> 3} is cut off")
        fields.append(MessageField(key >> 3, message[start:at], message[begun:at] if kind == LEN else b""))
        start = at
    return fields


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    """A number, and the place behind it."""
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & LOW) << shift
        if byte < CONTINUED:
            return value, at
        shift += 7
    raise ValueError("a number is cut off")
