"""What a body is when it is unpacked: never more than its limit, whatever a few packed bytes would become."""

import zlib

from monitor436.probes.probe import Failure


def unpacked(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The plain body; `encoding` as its Content-Encoding says, in small letters. We ask for no packing; gzip is
    understood all the same. Raises Failure."""
    if encoding in (b"", b"identity"):
        return body
    if encoding not in (b"gzip", b"x-gzip"):
        raise Failure("protocol", f"its body is packed as {shown(encoding)}, which was not asked for")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        plain = unpacking.decompress(body, limit + 1)
    except zlib.error:
        raise Failure("protocol", "its body is said to be gzip, and is not") from None
    if len(plain) > limit:
        raise Failure("too_long", f"its body has more than {limit} bytes when it is unpacked")
    if not unpacking.eof:
        raise Failure("protocol", "its body is gzip that ends too early")
    return plain


def shown(value: bytes) -> str:
    """A peer's text within a sentence of ours."""
    text = value[:80].decode("ascii", "backslashreplace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
