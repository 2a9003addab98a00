"""What a log was compressed to (RFC 1952), read as if it were the log."""

import os
from collections.abc import Callable

from monitor436.agent.tail.logfile import PRINT, File
from monitor436.agent.tail.regular import Unreadable, anything

SUFFIX = ".gz"
MAX_SIZE = 16 << 20  # bytes of a compressed file; a larger one is not looked into
MAX_TEXT = 256 << 20  # bytes of text up to a place that is looked for: about a second's work
CHUNK = 1 << 16


class Compressed(File):
    """A compressed file, which can be read forward only. Raises FileNotFoundError, Unreadable.

    Nobody writes to it any more. If it is damaged it ends there, and `problem` says so.
    """

    grows = False

    def __init__(self, path: str, refusal: "Callable[[str], str]" = anything) -> None:
        super().__init__(path, refusal)
        if self.size() > MAX_SIZE:
            self.close()
            raise Unreadable("compressed to more than {} MiB".format(MAX_SIZE >> 20))

    def restart(self) -> None:
        """Read from the start again."""
        super().restart()
        self._rewind()

    def to_end(self) -> None:
        """Go as far as it takes to know it again."""
        self._go_to(len(self.at(0, CHUNK)))

    def stands(self) -> bool:
        """It does."""
        return True

    def is_news(self, found: object = None) -> bool:
        """Whether there is text that was not read."""
        return not self._at_end or self._from + len(self._text) > self.offset

    def marks(self) -> "list[dict[str, object]]":
        """States by which it is known again: nobody writes to it."""
        return [self.state()]

    def continues(self, state: "dict[str, object]") -> bool:
        """Whether this is what the file of which `state` was taken was compressed to; reading goes on from there."""
        offset = state.get("offset")
        return not (isinstance(offset, int) and offset > MAX_TEXT) and super().continues(state)

    def is_copied_to(self, other: File) -> bool:
        """Nobody copies it."""
        return False

    def at(self, offset: int, size: int) -> bytes:
        """The text that stands there, fewer bytes at the end."""
        if offset + size <= len(self._first):
            return self._first[offset : offset + size]
        if offset < self._from:
            self._rewind()
        while self._from + len(self._text) < offset + size and not self._at_end:
            text = self._inflate()
            self._first += text[: PRINT - len(self._first)]
            self._text += text
            behind = min(offset - PRINT - self._from, len(self._text))
            if behind > CHUNK:
                self._from += behind
                del self._text[:behind]
        return bytes(self._text[offset - self._from : offset - self._from + size])

    def _data_from(self, offset: int) -> int:
        """There are no holes."""
        return offset

    def _rewind(self) -> None:
        self._first = b""  # the first bytes of the text, which are asked for time and again
        self._text = bytearray()  # those from `_from` on
        self._from = 0
        self._place = 0  # in the compressed file
        self._input = b""
        self._stream = None  # type: object
        self._at_end = False
        self.problem = ""

    def _inflate(self) -> bytes:
        """The next piece of the text; empty at the end, and now and then before it."""
        import zlib  # only on hosts where it is needed

        data = self._input
        if not data:
            data = os.pread(self.fd, CHUNK, self._place)
            self._place += len(data)
            if not data and self._stream is None:
                return self._finish("" if self._place else "empty")
        stream = self._stream or zlib.decompressobj(31)  # 31: with a header and a check sum
        try:
            text = stream.decompress(data, CHUNK)  # type: ignore[attr-defined]
        except zlib.error:
            return self._finish("" if self._stream is None and self._from + len(self._text) else "damaged")
        if stream.eof:  # type: ignore[attr-defined]
            self._stream, self._input = None, stream.unused_data.lstrip(b"\0")  # type: ignore[attr-defined]
        elif data or text:
            self._stream, self._input = stream, stream.unconsumed_tail  # type: ignore[attr-defined]
        else:
            return self._finish("damaged")
        return bytes(text)

    def _finish(self, problem: str) -> bytes:
        self._at_end = True
        self.problem = problem
        return b""
