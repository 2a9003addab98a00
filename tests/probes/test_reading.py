"""An HTTP answer out of the bytes of a connection."""

import gzip
import unittest

from hypothesis import given
from hypothesis import strategies as st

from monitor436.probes.probe import HTTP_REASONS, Failure
from monitor436.probes.web.reading import MOST_HEAD, Reading

LIMIT = 1000


def read(answer: bytes, pieces: list[int] | None = None, limit: int = LIMIT) -> tuple[str, bytes, bool]:
    """How an answer ends, in pieces of these sizes: ("", body, keep), or the reason of the failure."""
    reading = Reading(limit)
    at = 0
    try:
        for size in [*(pieces or []), len(answer)]:
            if at < len(answer) and reading.take(answer[at : at + size]):
                return "", reading.body, reading.keep
            at += size
        reading.ended()
    except Failure as failure:
        return failure.reason, b"", reading.keep
    return "", reading.body, reading.keep


def answer(*fields: bytes, body: bytes = b"", status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """An answer with these fields."""
    return b"\r\n".join([status, *fields, b"", body])


CHUNKED = b"Transfer-Encoding: chunked"
PACKED = gzip.compress(b"x" * 500)
GOOD = {
    "length": (answer(b"Content-Length: 5", body=b"hello"), b"hello", True),
    "small letters": (answer(b"content-length:5", b"CONNECTION: Keep-Alive", body=b"hello"), b"hello", True),
    "no length": (answer(b"X: y", body=b"hello"), b"hello", False),
    "no body": (answer(status=b"HTTP/1.1 204 No Content"), b"", True),
    "nothing after the number": (answer(b"Content-Length: 2", body=b"ok", status=b"HTTP/1.1 200"), b"ok", True),
    "asks to close": (answer(b"Content-Length: 5", b"Connection: close", body=b"hello"), b"hello", False),
    "old": (answer(b"Content-Length: 5", body=b"hello", status=b"HTTP/1.0 200 OK"), b"hello", False),
    "old, lasting": (
        answer(b"Content-Length: 1", b"Connection: keep-alive", body=b"1", status=b"HTTP/1.0 200 OK"), b"1", True,
    ),
    "chunks": (answer(CHUNKED, body=b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"), b"hello", True),
    "a trailer": (answer(CHUNKED, body=b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n"), b"hello", True),
    "bare newlines": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", b"hello", True),
    "an interim answer": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"Content-Length: 1", body=b"1"), b"1", True,
    ),
    "gzip": (answer(b"Content-Length: %d" % len(PACKED), b"Content-Encoding: gzip", body=PACKED), b"x" * 500, True),
    "chunks of old": (
        answer(CHUNKED, b"Connection: keep-alive", body=b"1\r\n1\r\n0\r\n\r\n", status=b"HTTP/1.0 200 OK"), b"1", False,
    ),
    "fields that say nothing": (answer(b"X-Empty:", b"Content-Length: 1", b"Y: ", body=b"1"), b"1", True),
    "a field that ends alike": (answer(b"X-Content-Length: 9", b"Content-Length: 1", body=b"1"), b"1", True),
}  # fmt: skip
BOMB = gzip.compress(b"0" * 50_000_000)
BAD = {
    "another language": (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
    "another language, and no end": (b"220 mail.example.org ESMTP", "protocol"),
    "HTTP/2": (answer(b"Content-Length: 0", status=b"HTTP/2 200 OK"), "protocol"),
    "nothing": (b"", "protocol"),
    "half a header": (b"HTTP/1.1 200 OK\r\nContent-Le", "protocol"),
    "a header without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MOST_HEAD, "protocol"),
    "interim for ever": (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "protocol"),
    "another protocol": (answer(status=b"HTTP/1.1 101 Switching Protocols"), "protocol"),
    "too little": (answer(b"Content-Length: 6", body=b"hello"), "protocol"),
    "one that looks alike": (answer(b"Content-Length: 1", status=b"RTSP/1.0 200 OK", body=b"1"), "protocol"),
    "a version that there is not": (answer(b"Content-Length: 1", status=b"HTTP/2.0 200 OK", body=b"1"), "protocol"),
    "a status that there is not": (answer(b"Content-Length: 1", status=b"HTTP/1.1 999 OK", body=b"1"), "protocol"),
    "an interim answer and another protocol": (
        b"HTTP/1.1 103 Early Hints\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n", "protocol",
    ),
    "the same length twice": (answer(b"Content-Length: 1", b"Content-Length: 1", body=b"1"), "protocol"),
    "a length and chunks": (answer(CHUNKED, b"Content-Length: 5", body=b"5\r\nhello\r\n0\r\n\r\n"), "protocol"),
    "a blank before the colon": (answer(b"Content-Length : 5", body=b"hello"), "protocol"),
    "a folded line": (answer(b"X: y", b" Content-Length: 5", body=b"hello"), "protocol"),
    "no character of a header": (answer(b"X: \0", b"Content-Length: 5", body=b"hello"), "protocol"),
    "two lengths": (answer(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), "protocol"),
    "less than nothing": (answer(b"Content-Length: -1"), "protocol"),
    "no number": (answer(b"Content-Length: 0x10"), "protocol"),
    "a length of 30 digits": (answer(b"Content-Length: " + b"9" * 30), "protocol"),
    "a list of lengths": (answer(b"Content-Length: 5, 5", body=b"hello"), "protocol"),
    "1 GB": (answer(b"Content-Length: 1000000000"), "too_long"),
    "one more": (answer(body=b"x" * (LIMIT + 1)), "too_long"),
    "chunks without end": (answer(CHUNKED, body=b"5\r\nhello\r\n" * 201), "too_long"),
    "a chunk of 4 GiB": (answer(CHUNKED, body=b"ffffffff\r\n" + b"x" * (LIMIT + 1)), "too_long"),
    "a chunk of 4 GiB that does not come": (answer(CHUNKED, body=b"ffffffff\r\n"), "protocol"),
    "a chunk of 5 TiB": (answer(CHUNKED, body=b"ffffffffff\r\nx"), "protocol"),
    "a chunk that is longer than it says": (answer(CHUNKED, body=b"3\r\nhello\r\n0\r\n\r\n"), "protocol"),
    "a chunk that ends early": (answer(CHUNKED, body=b"9\r\nhel"), "protocol"),
    "chunks that are none": (answer(CHUNKED, body=b"hello\r\n"), "protocol"),
    "a size without end": (answer(CHUNKED, body=b"0" * 100_000), "protocol"),
    "a word behind a size that has no end": (answer(CHUNKED, body=b"1;" + b"x" * 100_000), "protocol"),
    "a trailer without end": (answer(CHUNKED, body=b"0\r\n" + b"X: y\r\n" * MOST_HEAD), "protocol"),
    "packed on its way": (answer(b"Transfer-Encoding: gzip", CHUNKED, body=b"0\r\n\r\n"), "protocol"),
    "packed twice": (answer(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), "protocol"),
    "an unknown packing": (answer(b"Content-Encoding: br", b"Content-Length: 1", body=b"x"), "protocol"),
    "no gzip": (answer(b"Content-Encoding: gzip", b"Content-Length: 1", body=b"x"), "protocol"),
    "gzip that ends early": (
        answer(b"Content-Encoding: gzip", b"Content-Length: 20", body=PACKED[:20]), "protocol",
    ),
    "a gzip bomb": (answer(b"Content-Encoding: gzip", body=BOMB), "too_long"),
    "503": (answer(b"Content-Length: 0", status=b"HTTP/1.1 503 Service Unavailable"), "status"),
    "404": (answer(body=b"<html>", status=b"HTTP/1.1 404 Not Found"), "status"),
    "elsewhere": (answer(b"Location: http://127.0.0.1:22/", status=b"HTTP/1.1 302 Found"), "redirect"),
    "unchanged": (answer(status=b"HTTP/1.1 304 Not Modified"), "redirect"),
}  # fmt: skip


class ReadingTests(unittest.TestCase):
    def test_good_answers_are_read(self) -> None:
        """With the one question that follows: whether the connection lasts."""
        for name, (data, body, keep) in GOOD.items():
            self.assertEqual(read(data), ("", body, keep), name)

    def test_bad_answers_are_each_in_their_class(self) -> None:
        """A bomb may be larger than the limit on the wire too: it is not received then."""
        for name, (data, reason) in BAD.items():
            self.assertEqual(read(data, limit=100_000 if "bomb" in name else LIMIT)[0], reason, name)

    @given(st.sampled_from([*GOOD, *(name for name in BAD if "bomb" not in name)]), st.lists(st.integers(1, 40)))
    def test_it_does_not_matter_where_the_bytes_are_cut(self, name: str, pieces: list[int]) -> None:
        """The network cuts as it likes."""
        data = (GOOD.get(name) or BAD[name])[0]
        self.assertEqual(read(data, pieces), read(data))

    @given(st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", answer(CHUNKED)]))
    def test_whatever_comes_is_an_answer_or_a_failure(self, noise: bytes, before: bytes) -> None:
        """And nothing else is raised."""
        reason, body, _ = read(before + noise)
        self.assertIn(reason, ("", *HTTP_REASONS))
        self.assertLessEqual(len(body), LIMIT)

    def test_a_byte_too_many_ends_the_connection(self) -> None:
        """It may be the beginning of an answer that somebody forged for the next request."""
        last = answer(b"Content-Length: 5", b"Connection: close", body=b"hello!")
        for data in (answer(b"Content-Length: 5", body=b"hello!"), answer(CHUNKED, body=b"0\r\n\r\n!"), last):
            self.assertFalse(read(data)[2])
        forged = answer(b"Content-Length: 5", body=b"hello") + answer(b"Content-Length: 1", body=b"!")
        self.assertEqual(read(forged), ("", b"hello", False))

    def test_what_a_peer_says_stands_in_a_sentence_as_text(self) -> None:
        """No control characters, and not all of it."""
        reading = Reading(LIMIT)
        with self.assertRaises(Failure) as caught:
            reading.take(b"HTTP/1.1 500 \x1b[2J\xff" + b"a" * 200 + b"\r\n\r\n")
        self.assertEqual(caught.exception.text, "answers 500 ?[2J\\xff" + "a" * 75)

    def test_a_million_tiny_pieces_cost_no_more_than_they_should(self) -> None:
        """Chunks of one byte: what was read is not copied for each."""
        reading = Reading(1 << 20)
        reading.take(answer(CHUNKED))
        for _ in range(100):
            reading.take(b"1\r\nx\r\n" * 1000)
        self.assertTrue(reading.take(b"0\r\n\r\n"))
        self.assertEqual(reading.body, b"x" * 100_000)

    def test_what_has_no_end_is_given_up_early(self) -> None:
        """Not when the time is over: a header, a size and a trailer have a bound."""
        for before in (b"HTTP/1.1 200 OK\r\n", answer(CHUNKED), answer(CHUNKED, body=b"5\r\nhello\r\n0\r\n")):
            reading = Reading(LIMIT)
            reading.take(before)
            with self.assertRaises(Failure) as caught:
                for _ in range(MOST_HEAD // 1000 + 1):
                    reading.take(b"0" * 1000)
            self.assertIn(f"more than {MOST_HEAD} bytes", caught.exception.text)


if __name__ == "__main__":
    unittest.main()
