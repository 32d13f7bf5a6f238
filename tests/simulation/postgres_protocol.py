"""What is needed of PostgreSQL's wire protocol: messages read, and a few answers made up."""

import re
import struct
from collections.abc import Iterator
from functools import lru_cache

CANCEL_REQUEST = struct.pack("!II", 16, 80877102)
_HAS_EFFECT = re.compile(
    rb"\bFOR\s+(NO\s+KEY\s+)?(UPDATE|SHARE|KEY)\b|advisory|set_config|nextval|setval", re.IGNORECASE
)
READY = b"Z\x00\x00\x00\x05"
SYNC = b"S\x00\x00\x00\x04"
# Kinds of messages: a row or how much was done; an error.
_TELLS = b"DC"
_ERROR = ord("E")
# Bind's kind, an Execute of the unnamed portal, a Sync.
_BIND_TO_END = 1 + 10 + 5


def messages(data: bytes | bytearray) -> list[tuple[bytes, bytes]]:
    """Kind and body of every complete message."""
    place, found, end = 0, [], len(data)
    raw = bytes(data)
    while place + 5 <= end:
        after = place + 1 + int.from_bytes(raw[place + 1 : place + 5])
        if after > end:
            break
        found.append((raw[place : place + 1], raw[place + 5 : after]))
        place = after
    return found


def count_ready(data: bytes | bytearray) -> int:
    """How often the server said that it is ready, if it said so last."""
    if len(data) < 6 or data[-6:-1] != READY:
        return 0
    place = count = 0
    end = len(data)
    while place + 5 <= end:
        kind = data[place]
        length = int.from_bytes(data[place + 1 : place + 5], "big")
        place += 1 + length
        if place > end:
            return 0
        count += kind == 0x5A
    return count


def complete(data: bytearray, replies: int) -> bool:
    """Whether the answer to a call is complete."""
    if replies == 1:
        # Nothing follows the first time that the server is ready.
        return data[-6:-1] == READY
    if replies == 2 and data.startswith(_BEFORE):
        # What was sent along came first.
        return data[-6:-1] == READY and data.index(READY) < len(data) - 6
    if replies:
        return count_ready(data) >= replies
    # A Parse and Describe that end with Flush: the description comes last, or an error.
    found = messages(data)
    return bool(found) and found[-1][0] in (b"T", b"n", b"E")


def replies_of(raw: bytes) -> int:
    """How many times a call makes the server ready again: for each Sync or simple Query."""
    if executed_once(raw):
        return 1
    return sum(kind in (b"S", b"Q") for kind, _ in messages(raw))


def row_of(body: bytes) -> list[str]:
    """The values of a DataRow as text, without NULLs."""
    (columns,) = struct.unpack_from("!H", body)
    place, values = 2, []
    for _ in range(columns):
        (length,) = struct.unpack_from("!i", body, place)
        place += 4
        if length >= 0:
            values.append(body[place : place + length].decode())
            place += length
    return values


def backend_pid(reply: bytes) -> int:
    """The process that the startup's answer names."""
    for kind, body in messages(reply):
        if kind == b"K":
            return int.from_bytes(body[:4], "big")
    return 0


def application_of(startup: bytes) -> str:
    """The application_name of a startup."""
    parts = startup[8:].split(b"\0")
    pairs = dict(zip(parts[::2], parts[1::2], strict=False))
    return pairs.get(b"application_name", b"").decode()


def parsed_of(call: bytes) -> tuple[bytes, bytes]:
    """Name and SQL text of the statement that a call begins by parsing."""
    (length,) = struct.unpack_from("!I", call, 1)
    name, text, _ = call[5 : 1 + length].split(b"\0", 2)
    return name, text


def executed_once(call: bytes) -> bytes:
    """The statement's name of a call that is no more than Bind, Execute and Sync; empty for others."""
    if call[:1] != b"B" or call[-5:] != SYNC or call[5]:
        return b""
    if len(call) != int.from_bytes(call[1:5]) + _BIND_TO_END:
        return b""
    return call[6 : call.index(0, 6)]


def statements_of(call: bytes) -> list[bytes]:
    """The names of the statements that a call executes."""
    if name := executed_once(call):
        return [name]
    return [body.split(b"\0", 2)[1] for kind, body in messages(call) if kind == b"B"]


@lru_cache(4096)
def only_reads(text: bytes) -> bool:
    """Whether a statement neither changes nor locks anything."""
    return text.lstrip()[:6].upper() == b"SELECT" and not _HAS_EFFECT.search(text)


def said_in(reply: bytes) -> Iterator[bytes]:
    """What an answer says besides its form: rows, how much was done, the code of an error."""
    place, end = 0, len(reply)
    while place + 5 <= end:
        kind = reply[place]
        after = place + 1 + int.from_bytes(reply[place + 1 : place + 5])
        if kind in _TELLS:
            yield reply[place:after]
        elif kind == _ERROR:
            yield next((field for field in reply[place + 5 : after].split(b"\0") if field[:1] == b"C"), b"")
        place = after


def simple_query(statement: bytes) -> bytes:
    """A simple Query message."""
    return b"Q" + struct.pack("!I", 5 + len(statement)) + statement + b"\0"


BEGIN = simple_query(b"BEGIN;")
BEGUN = b"C\x00\x00\x00\x0aBEGIN\0" + READY + b"T"
COMMIT = simple_query(b"COMMIT;")
#: Both mean the same to a server that was not told otherwise.
BEGINS = (BEGIN, simple_query(b"BEGIN ISOLATION LEVEL READ COMMITTED;"))
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\0" + READY + b"I"
CLOSED = b"3\x00\x00\x00\x04"
ROLL_BACK = simple_query(b"ROLLBACK;")
ROLLED_BACK = b"C\x00\x00\x00\x0dROLLBACK\0" + READY + b"I"
#: The answer to BEGIN and SET LOCAL together.
_BEGUN_AT = b"C\x00\x00\x00\x0aBEGIN\0" + b"C\x00\x00\x00\x08SET\0" + READY + b"T"
#: The answers to what may be sent along before a call.
_BEFORE = (_BEGUN_AT, COMMITTED, b"C\x00\x00\x00\x0bCOMMIT\0" + _BEGUN_AT)
#: The ping of the pool, and its answer outside of a transaction.
PING = simple_query(b";")
PONG = b"I\x00\x00\x00\x04" + READY + b"I"
ROLLBACK = simple_query(b"ROLLBACK")
RAISE = simple_query(
    b"DO $$ BEGIN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END $$"
)
_FIELDS = b"SERROR\0VERROR\0C40001\0Mcould not serialize access\0\0"
SERIALIZATION_FAILURE = b"E" + struct.pack("!I", 4 + len(_FIELDS)) + _FIELDS
