"""An HTTP answer out of the bytes of a connection: httptools parses, and here is what a client that trusts nobody adds.

httptools is llhttp, the parser of Node.js. It is stricter than RFC 9112 asks for: lengths that are told twice, a length
beside chunks, folded lines and blanks before a colon are errors. Where it is laxer the checks are here: it takes RTSP,
ICE and every version of HTTP, statuses above 599, other codings than `chunked`, and it has no limits.
"""

from typing import Any

from httptools import HttpParserError, HttpResponseParser

from monitor436.probes.probe import Failure
from monitor436.probes.web.bodies import SMALL
from monitor436.probes.web.packing import shown, unpacked

MOST_HEAD = 32768  # bytes of status line and header fields; browsers stop near 256 KiB, servers at 8
MOST_INTERIM = 8  # answers such as 103 before the answer

START = b"HTTP/1."


class _Enough(Exception):
    """Ends the parsing of an answer of which all is known."""


class Reading:
    """One answer to a GET, taken piece by piece.

    `take` says when it is complete; then `body` is there, and `keep` says whether the connection can be used again.
    Raises Failure: "protocol" for what is no HTTP, "status" and "redirect" for what is no success, "too_long" when
    the body has more than `limit` bytes, before or after it is unpacked.
    """

    __slots__ = (
        "_coding",
        "_complete",
        "_encoding",
        "_failure",
        "_idle",
        "_interim",
        "_length",
        "_limit",
        "_location",
        "_parser",
        "_said",
        "_size",
        "_start",
        "_taken",
        "begun",
        "body",
        "keep",
    )

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._start = b""  # the first bytes of the answer, until they are known to be HTTP/1
        self._idle = 0  # bytes in which there was nothing of a body
        self._interim = 0
        self._said = self._location = self._coding = self._encoding = b""
        self._length: int | None = None
        self._taken: bytes | bytearray = b""
        self._size = 0  # bytes of body that are here
        self._complete = False
        self._failure: Failure | None = None
        self.begun = False  # the head is complete
        self.keep = False
        self.body = b""
        parser: Any = HttpResponseParser(self)
        self._parser = parser
        parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)  # scripts that are status pages

    def take(self, data: bytes) -> bool:
        """More bytes; True when the answer is complete."""
        if len(self._start) < len(START):
            self._begins(data)
        before = self._size
        try:
            self._parser.feed_data(data)
        except HttpParserError as wrong:
            self.keep = False  # after the end of an answer: bytes that nobody asked for may begin a forged one
            if self._failure is None and not self._complete:
                self._failure = Failure("protocol", f"its answer is no good HTTP: {wrong}")
        if self._failure is not None:
            self.keep = self.keep and self._complete
            raise self._failure
        if self._complete:
            return self._done()
        if self._size == before:
            self._idle += len(data)
            if self._idle > MOST_HEAD:
                where = "between two pieces of its body there are" if self.begun else "its header has"
                raise Failure("protocol", f"{where} more than {MOST_HEAD} bytes")
        else:
            self._idle = 0
        return False

    @property
    def large(self) -> int:
        """How many bytes the body may come to have; 0 while it is small, or not known to be more."""
        size = self._size if self._length is None else self._length
        if size <= SMALL or not self.begun:
            return 0
        return self._limit if self._length is None else size

    def ended(self) -> None:
        """The connection ended: the answer is complete, or it is none."""
        if not self.begun:
            raise Failure("protocol", "closed the connection before it answered")
        if self._coding:
            raise Failure("protocol", f"closed the connection within a chunk, after {self._size} bytes")
        if self._length is not None:
            raise Failure("protocol", f"closed the connection after {self._size} of {self._length} bytes")
        self.keep = False
        self._done()

    def forget(self) -> None:
        """Let go of all of it: parser and reading hold each other, and bodies would wait for the garbage collector."""
        self._parser = None
        self._taken = self.body = b""

    # What httptools calls

    def on_message_begin(self) -> None:
        """llhttp: an answer begins."""
        if self._complete:
            raise _Enough

    def on_status(self, text: bytes) -> None:
        """llhttp: the words behind the status, or a part of them."""
        self._said += text

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: a field of the header, or of the trailer."""
        if self.begun:  # a trailer
            return
        name = name.lower()
        if name == b"content-length":
            self._length = int(value)
        elif name == b"transfer-encoding":
            self._coding += b", " + value if self._coding else value
        elif name == b"content-encoding":
            self._encoding += b", " + value if self._encoding else value
        elif name == b"location":
            self._location = value

    def on_headers_complete(self) -> None:
        """llhttp: the header is over."""
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._interim += 1
            if self._interim > MOST_INTERIM:
                self._fail("protocol", f"sends more than {MOST_INTERIM} answers before the answer")
            return
        self.begun = True
        self.keep = self._parser.should_keep_alive()
        self._judge(status)

    def on_body(self, data: bytes) -> None:
        """llhttp: a part of the body, without what chunks add."""
        self._size += len(data)
        if self._failure is not None:
            return  # of no interest, but lets the connection live if all of it is here
        if self._size > self._limit:
            self._fail("too_long", f"its body has more than {self._limit} bytes")
        if not self._taken:
            self._taken = data
        elif isinstance(self._taken, bytearray):
            self._taken += data
        else:
            self._taken = bytearray(self._taken)  # grows in place: a peer may send a byte a chunk
            self._taken += data

    def on_message_complete(self) -> None:
        """llhttp: the answer is over."""
        if self.begun:
            self._complete = True
        else:
            self._forget()

    def _judge(self, status: int) -> None:
        """What is no success fails, once all is read that came along."""
        if self._coding:
            if self._coding.lower() != b"chunked":
                self._fail("protocol", f"its body is transferred as {shown(self._coding)}")
            self.keep = self.keep and self._parser.get_http_version() != "1.0"  # RFC 9112 section 6.1
        if status == 204:
            return
        if 300 <= status < 400:
            where = f" to {shown(self._location)}" if self._location else ""
            self._failure = Failure("redirect", f"answers {status}, which leads elsewhere{where}")
        elif status == 101:
            self._fail("protocol", "answers 101 and wants to speak another protocol")
        elif status >= 600 or status < 100:
            self._fail("protocol", f"answers {status}, which is no status of HTTP")
        elif status >= 400:
            self._failure = Failure("status", f"answers {status} {shown(self._said)}".rstrip())
        elif self._length is not None and self._length > self._limit:
            self._fail("too_long", f"its body has {self._length} bytes, more than {self._limit}")

    def _fail(self, reason: str, text: str) -> None:
        self._failure = Failure(reason, text)
        raise _Enough

    def _forget(self) -> None:
        """The header of an interim answer says nothing of the answer."""
        self._said = self._location = self._coding = self._encoding = b""
        self._length = None

    def _begins(self, data: bytes) -> None:
        self._start += data[: len(START) - len(self._start)]
        if not START.startswith(self._start):
            raise Failure("protocol", "does not speak HTTP/1")

    def _done(self) -> bool:
        body, self._taken = bytes(self._taken), b""
        self.body = unpacked(body, self._encoding.lower(), self._limit) if self._encoding else body
        return True
