"""An HTTP answer out of the bytes of a connection: RFC 9112 for a client that trusts nobody."""

import re
import zlib

from monitor436.probes.probe import Failure

MOST_HEAD = 32768  # bytes of status line and header fields; browsers stop near 256 KiB, servers at 8
MOST_INTERIM = 8  # answers such as 103 before the answer
MOST_LINE = 1024  # bytes of a chunk's size, with extensions that nobody uses

_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r?\n")
_FIELD = re.compile(
    rb"\n(content-length|transfer-encoding|connection|content-encoding):[ \t]*([^\r\n]*?)[ \t]*(?=\r?\n)"
)
_LOCATION = re.compile(rb"\nlocation:[ \t]*([^\r\n]*)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")


class Reading:
    """One answer to a GET, taken piece by piece.

    `take` says when it is complete; then `body` is there, and `keep` says whether the connection can be used again.
    Raises Failure: "protocol" for what is no HTTP, "status" and "redirect" for what is no success, "too_long" when
    the body has more than `limit` bytes, before or after it is unpacked.
    """

    __slots__ = (
        "_at",
        "_chunked",
        "_encoding",
        "_end",
        "_interim",
        "_parts",
        "_size",
        "begun",
        "body",
        "keep",
        "_limit",
    )

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: bytes | bytearray = b""
        self._at = 0  # where the search for the end of the head goes on
        self._interim = 0
        self._size = 0  # bytes of body that are here, if it is chunked
        self._chunked: list[bytes] | None = None
        self._end: int | None = None  # how long the body is to be, None: until the connection ends
        self._encoding = b""
        self.begun = False  # the head is complete
        self.keep = False
        self.body = b""

    def take(self, data: bytes) -> bool:
        """More bytes; True when the answer is complete."""
        if not self._parts:
            self._parts = data
        elif isinstance(self._parts, bytearray):
            self._parts += data
        else:
            self._parts = bytearray(self._parts + data)  # grows in place: a peer may send byte by byte
        if not self.begun and not self._head():
            return False
        if self._chunked is not None:
            return self._chunks(self._chunked)
        have = len(self._parts)
        if self._end is None:
            if have > self._limit:
                raise self._too_long()
            return False
        if have < self._end:
            return False
        return self._done(self._parts if have == self._end else self._parts[: self._end], have == self._end)

    def ended(self) -> None:
        """The connection ended: the answer is complete, or it is none."""
        if not self.begun:
            raise Failure("protocol", "closed the connection before it answered")
        if self._chunked is not None:
            raise Failure("protocol", f"closed the connection within a chunk, after {self._size} bytes")
        if self._end is not None:
            raise Failure("protocol", f"closed the connection after {len(self._parts)} of {self._end} bytes")
        self._done(self._parts, False)

    def _head(self) -> bool:
        while True:
            found = _END.search(self._parts, self._at)
            if found is None:
                if len(self._parts) > MOST_HEAD:
                    raise Failure("protocol", f"its header has more than {MOST_HEAD} bytes")
                if self._at == 0 and not b"HTTP/1.".startswith(self._parts[:7]):
                    raise Failure("protocol", "does not speak HTTP/1")
                self._at = max(0, len(self._parts) - 3)
                return False
            head, self._parts, self._at = bytes(self._parts[: found.end()]), self._parts[found.end() :], 0
            status = _STATUS.match(head)
            if status is None:
                raise Failure("protocol", "does not speak HTTP/1")
            if status[2] == b"101" or status[2][:1] != b"1":
                break
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise Failure("protocol", f"sends more than {MOST_INTERIM} answers before the answer")
        self.begun = True
        self._fields(status[1], status[2], dict_of(head))
        self._judge(status, head)
        return True

    def _fields(self, version: bytes, status: bytes, fields: dict[bytes, bytes]) -> None:
        """How long the body is, RFC 9112 section 6.3, and whether the connection lasts, section 9.3."""
        connection = fields.get(b"connection", b"")
        self.keep = b"close" not in connection if version != b"0" else b"keep-alive" in connection
        self._encoding = fields.get(b"content-encoding", b"")
        coding = fields.get(b"transfer-encoding")
        length = fields.get(b"content-length")
        if coding is not None:
            if coding != b"chunked":
                raise Failure("protocol", f"its body is transferred as {_shown(coding)}")
            self._chunked = []
            self.keep = self.keep and length is None and version != b"0"  # both: somebody between us may be fooled
        elif length is not None:
            if not length.isdigit() or len(length) > 18:
                raise Failure("protocol", f"its Content-Length is {_shown(length)}")
            self._end = int(length)
        else:
            self.keep = self.keep and status == b"204"

    def _judge(self, status: "re.Match[bytes]", head: bytes) -> None:
        """What is no success ends here; its body is of no interest, but lets the connection live if it is there."""
        if status[2] == b"204":
            self._end, self._chunked = 0, None
        elif status[2] == b"101":
            raise Failure("protocol", "answers 101 and wants to speak another protocol")
        elif status[2][:1] == b"3":
            location = _LOCATION.search(head)
            self._finish_early()
            where = f" to {_shown(location[1])}" if location else ""
            raise Failure("redirect", f"answers {status[2].decode()}, which leads elsewhere{where}")
        elif status[2][:1] != b"2":
            self._finish_early()
            raise Failure("status", f"answers {status[2].decode()} {_shown(status[3] or b'')}".rstrip())
        if self._end is not None and self._end > self._limit:
            raise Failure("too_long", f"its body has {self._end} bytes, more than {self._limit}")

    def _finish_early(self) -> None:
        self.keep = self.keep and self._end == len(self._parts)

    def _chunks(self, chunks: list[bytes]) -> bool:
        """All that is here; what was understood is cut off once, as a peer may send a million tiny chunks."""
        parts, at = self._parts, 0
        while True:
            size = _SIZE.match(parts, at)
            if size is None:
                if b"\n" in parts[at : at + MOST_LINE] or len(parts) - at >= MOST_LINE:
                    raise Failure("protocol", "sends something else where the size of a chunk belongs")
                break
            length, start = int(size[1], 16), size.end()
            if length == 0:
                if self._trailer(start, chunks):
                    return True
                break
            if self._size + length > self._limit:
                raise self._too_long()
            end = start + length
            after = parts[end : end + 2]
            if after != b"\r\n" and after[:1] != b"\n":
                if after not in (b"", b"\r"):
                    raise Failure("protocol", "sends a chunk that is longer than it says")
                break
            chunks.append(bytes(parts[start:end]))
            self._size += length
            at = end + (2 if after == b"\r\n" else 1)
        self._parts = parts[at:] if at else parts
        return False

    def _trailer(self, start: int, chunks: list[bytes]) -> bool:
        """Fields after the last chunk are passed over."""
        rest = self._parts[start:]
        if rest[:2] == b"\r\n":
            end = 2
        elif rest[:1] == b"\n":
            end = 1
        else:
            found = _END.search(rest)
            if found is None:
                if len(rest) > MOST_HEAD:
                    raise Failure("protocol", f"its trailer has more than {MOST_HEAD} bytes")
                return False
            end = found.end()
        return self._done(b"".join(chunks), len(rest) == end)

    def _done(self, body: bytes | bytearray, exact: bool) -> bool:
        """Bytes that nobody asked for may be the beginning of a forged answer: such a connection is not used again."""
        self.keep = self.keep and exact
        self._parts = b""
        self.body = bytes(body) if self._encoding in (b"", b"identity") else self._unpacked(body)
        return True

    def _unpacked(self, body: bytes | bytearray) -> bytes:
        """We asked for no packing; gzip is understood all the same."""
        if self._encoding not in (b"gzip", b"x-gzip"):
            raise Failure("protocol", f"its body is packed as {_shown(self._encoding)}, which was not asked for")
        unpacking = zlib.decompressobj(wbits=31)
        try:
            plain = unpacking.decompress(body, self._limit + 1)
        except zlib.error:
            raise Failure("protocol", "its body is said to be gzip, and is not") from None
        if len(plain) > self._limit:
            raise Failure("too_long", f"its body has more than {self._limit} bytes when it is unpacked")
        if not unpacking.eof:
            raise Failure("protocol", "its body is gzip that ends too early")
        return plain

    def _too_long(self) -> Failure:
        return Failure("too_long", f"its body has more than {self._limit} bytes")


def dict_of(head: bytes) -> dict[bytes, bytes]:
    """The header fields that matter, in small letters; a field said twice must say the same."""
    fields: dict[bytes, bytes] = {}
    for name, value in _FIELD.findall(head.lower()):
        if name in fields and fields[name] != value:
            if name == b"content-length":
                raise Failure("protocol", "says two different lengths")
            value = fields[name] + b", " + value
        fields[name] = value
    return fields


def _shown(value: bytes) -> str:
    """A peer's text within a sentence of ours."""
    text = value[:80].decode("ascii", "backslashreplace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
