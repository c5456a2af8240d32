"""PostgreSQL's binary arrays: one column of many rows in one parameter, as `unnest` takes it. Pure.

An array is a header and, per element, four bytes of length (-1 for NULL) and the element itself. What
one `struct.pack` cannot do at once is joined from ready-made cells.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

NULL = b"\xff\xff\xff\xff"
WORDS_KEPT_MAX = 4_096
EPOCH_US = 946_684_800_000_000  # PostgreSQL counts microseconds from 2000
# The types' numbers: pg_type.dat of PostgreSQL.
BOOL, BYTEA, INT8, INT2, INT4, TEXT, JSON, TIMESTAMPTZ, UUID = 16, 17, 20, 21, 23, 25, 114, 1184, 2950
_length = struct.Struct(">i").pack
_header = struct.Struct(">iiIii").pack
_number = struct.Struct(">iq").pack
encode_json = msgspec.json.Encoder().encode


def bigint(value: int) -> bytes:
    """One number as a parameter of its own."""
    return value.to_bytes(8, "big", signed=True)


def _array(type_number: int, count: int, cells: bytes) -> bytes:
    return _header(1, 0, type_number, count, 1) + cells


@lru_cache(2_048)  # a batch has at most so many rows of a kind, and most sizes come again
def _fixed(letter: str, count: int) -> Callable[..., bytes]:
    return struct.Struct(">iiIii" + f"i{letter}" * count).pack


def _of_fixed(values: Sequence[int], type_number: int, letter: str, width: int) -> bytes:
    """Header and elements in one go: of small batches the arrays cost more than what is in them."""
    count = len(values)
    flat = [1, 0, type_number, count, 1] + [width] * (2 * count)
    flat[6::2] = values
    return _fixed(letter, count)(*flat)


def bigints(values: Sequence[int]) -> bytes:
    return _of_fixed(values, INT8, "q", 8)


def bigints_or_null(values: Sequence[int | None]) -> bytes:
    if None not in values:
        return bigints(values)  # type: ignore[arg-type]
    return _array(INT8, len(values), b"".join([NULL if v is None else _number(8, v) for v in values]))


def integers(values: Sequence[int]) -> bytes:
    return _of_fixed(values, INT4, "i", 4)


def smallints(values: Sequence[int]) -> bytes:
    return _of_fixed(values, INT2, "h", 2)


def instants(values: Sequence[int]) -> bytes:
    """From nanoseconds since 1970."""
    return _of_fixed([ns // 1_000 - EPOCH_US for ns in values], TIMESTAMPTZ, "q", 8)


def instants_or_null(values: Sequence[int]) -> bytes:
    """0 is NULL."""
    if 0 not in values:
        return instants(values)
    cells = [_number(8, ns // 1_000 - EPOCH_US) if ns else NULL for ns in values]
    return _array(TIMESTAMPTZ, len(values), b"".join(cells))


class _Cells(dict[str, bytes]):
    """Cells of words that come again and again: statuses, sides, symbols."""

    def __missing__(self, word: str) -> bytes:
        if len(self) >= WORDS_KEPT_MAX:
            self.clear()
        text = word.encode()
        self[word] = cell = _length(len(text)) + text
        return cell


_cells = _Cells()


def words(values: Sequence[str]) -> bytes:
    """Texts of a small vocabulary."""
    return _array(TEXT, len(values), b"".join([_cells[word] for word in values]))


def _of_bytes(values: Iterable[bytes], type_number: int) -> bytes:
    parts: list[bytes] = []
    for value in values:
        parts += (_length(len(value)), value)
    return _array(type_number, len(parts) // 2, b"".join(parts))


def texts(values: Sequence[str]) -> bytes:
    return _of_bytes([value.encode() for value in values], TEXT)


def texts_or_null(values: Sequence[str | None]) -> bytes:
    if None not in values:
        return texts(values)  # type: ignore[arg-type]
    found = [None if value is None else value.encode() for value in values]
    cells = [NULL if text is None else _length(len(text)) + text for text in found]
    return _array(TEXT, len(values), b"".join(cells))


def encoded(values: Iterable[bytes]) -> bytes:
    """Texts that are encoded already."""
    return _of_bytes(values, TEXT)


def jsons(values: Iterable[Any]) -> bytes:
    return _of_bytes([encode_json(value) for value in values], TEXT)


def jsons_or_null(values: Sequence[Any]) -> bytes:
    texts = [None if value is None else encode_json(value) for value in values]
    cells = [NULL if text is None else _length(len(text)) + text for text in texts]
    return _array(TEXT, len(values), b"".join(cells))


def blobs(values: Iterable[bytes]) -> bytes:
    return _of_bytes(values, BYTEA)


def uuids(values: Sequence[str]) -> bytes:
    size = _length(16)
    cells = [size + bytes.fromhex(value.replace("-", "")) for value in values]
    return _array(UUID, len(values), b"".join(cells))


def flags(values: Sequence[bool]) -> bytes:
    one = _length(1)
    return _array(BOOL, len(values), b"".join([one + (b"\1" if value else b"\0") for value in values]))


def decimals(values: Sequence[int]) -> bytes:
    """Whole numbers of any size, as texts."""
    return texts([str(value) for value in values])


Encode = Callable[[Any], bytes]
# What a column is: the array's type in SQL, what makes the stored value of an element, what encodes it.
KINDS: dict[str, tuple[str, str, Encode]] = {
    "bigint": ("bigint[]", "{}", bigints),
    "bigint?": ("bigint[]", "{}", bigints_or_null),
    "int": ("int[]", "{}", integers),
    "smallint": ("smallint[]", "{}", smallints),
    "instant": ("timestamptz[]", "{}", instants),
    "instant?": ("timestamptz[]", "{}", instants_or_null),
    "word": ("text[]", "{}", words),
    "text": ("text[]", "{}", texts),
    "text?": ("text[]", "{}", texts_or_null),
    "json": ("text[]", "{}", jsons),
    "encoded": ("text[]", "{}", encoded),
    "key": ("bigint[]", "{} | $1::bigint", bigints),  # the first constant is the world's part of the key
    "key?": ("bigint[]", "nullif({}, 0) | $1::bigint", bigints),
    "encoded-jsonb": ("text[]", "{}::jsonb", encoded),
    "jsonb": ("text[]", "{}::jsonb", jsons),
    "jsonb?": ("text[]", "{}::jsonb", jsons_or_null),
    "blob": ("bytea[]", "{}", blobs),
    "uuid": ("uuid[]", "{}", uuids),
    "flag": ("bool[]", "{}", flags),
    "decimal": ("text[]", "{}::numeric", decimals),
}
