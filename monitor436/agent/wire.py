"""One datagram: sealed, opened or refused, with the keys that decide it. Both sides of the wire use this module.

Layout: magic "m4", version, type, key generation (2), session (8), number (8), body (JSON), tag (16).
The tag is HMAC-SHA-256 (RFC 2104), cut to 16 bytes, over everything before it. docs/protocol.md has worked examples.
"""

import json
import re
import struct
from collections import namedtuple

try:  # the interpreter's own SHA-256: importing hashlib would load OpenSSL, 3.7 MiB that stay resident on every host
    from _sha256 import sha256  # type: ignore[import-not-found]
except ImportError:
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256
from _operator import _compare_digest

SHA256 = sha256
same_tag = _compare_digest  # compares in a time that does not depend on where they differ
MAGIC = b"m4"
VERSION = 1
MAX_DATAGRAM = 1200  # fits the smallest IPv6 path without fragmenting
HEADER = struct.Struct("!2sBBHQQ")
TAG_SIZE = 16
MIN_DATAGRAM = HEADER.size + TAG_SIZE
MAX_BODY = MAX_DATAGRAM - HEADER.size - TAG_SIZE
MAX_BRACKETS = 16  # opening brackets in a body that a server sends: bounds depth before anything is parsed
HELLO_SIZE = 800  # every HELLO is padded to this, so that no WELCOME is longer than the greeting it answers
MAX_LIVE = 8  # spool ids told in a HELLO
WINDOW = 1024  # how far behind the newest number a datagram may arrive
_unpack_header = HEADER.unpack_from
_TAG = slice(TAG_SIZE)  # slices made once: this is the hot path of the server
_LAST = slice(-TAG_SIZE, None)
_SIGNED = slice(-TAG_SIZE)
_BODY = slice(HEADER.size, -TAG_SIZE)
_FULL = (1 << WINDOW) - 1

BEACON, HELLO, WELCOME, BEAT, BEATACK, EVENTS, ACK, RESET, RESETACK, PING, PONG, BYE = range(1, 13)
NAMES = {
    BEACON: "BEACON",
    HELLO: "HELLO",
    WELCOME: "WELCOME",
    BEAT: "BEAT",
    BEATACK: "BEATACK",
    EVENTS: "EVENTS",
    ACK: "ACK",
    RESET: "RESET",
    RESETACK: "RESETACK",
    PING: "PING",
    PONG: "PONG",
    BYE: "BYE",
}

HOST_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  # json.dumps makes one for each call
_GREETING = struct.Struct("!16s8sB")

Greeting = namedtuple("Greeting", "kind generation session nonce serial name body")


class WireError(Exception):
    """A datagram that was refused. `reason` is one of REASONS, for counting."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


REASONS = ("size", "magic", "version", "type", "session", "tag", "replay", "name", "body", "refused", "busy", "pace")


class Key:
    """A secret, ready to tag: HMAC-SHA-256 with both pads already hashed, so that a tag costs two copies.

    `sha256` is a hashlib-like constructor. The default is small; `hashlib.sha256` is faster where OpenSSL is loaded.
    """

    __slots__ = ("inner", "outer")

    def __init__(self, secret: bytes, sha256: "object" = SHA256) -> None:
        if len(secret) > 64:
            raise ValueError("a key has at most 64 bytes")
        padded = secret.ljust(64, b"\0")
        self.inner = sha256(padded.translate(_INNER_PAD))  # type: ignore[operator]
        self.outer = sha256(padded.translate(_OUTER_PAD))  # type: ignore[operator]

    def digest(self, data: bytes) -> bytes:
        """The whole HMAC-SHA-256 of `data`, 32 bytes."""
        inner = self.inner.copy()
        inner.update(data)
        outer = self.outer.copy()
        outer.update(inner.digest())
        return outer.digest()  # type: ignore[no-any-return]

    def tag(self, data: bytes) -> bytes:
        """What stands at the end of a datagram: the first 16 bytes of the digest."""
        return self.digest(data)[_TAG]


_INNER_PAD = bytes(value ^ 0x36 for value in range(256))
_OUTER_PAD = bytes(value ^ 0x5C for value in range(256))


def beacon_key(site_key: bytes) -> bytes:
    """The key under which beacons of a site are tagged; it is in every agent file."""
    return Key(site_key).digest(b"m436/1 beacon")


def host_key(site_key: bytes, name: str, serial: bytes, generation: int) -> bytes:
    """The secret of one host: known to that host and, by derivation, to every server of the site."""
    return Key(site_key).digest(b"\0".join([b"m436/1 host", name.encode(), serial, b"%d" % generation]))


def hello_key(secret: bytes) -> bytes:
    """The key of a host's greetings, HELLO and WELCOME."""
    return Key(secret).digest(b"m436/1 hello")


def session_keys(secret: bytes, agent_nonce: bytes, server_nonce: bytes) -> "tuple[bytes, bytes]":
    """The keys of one session: agent to server, server to agent."""
    key = Key(secret)
    return (
        key.digest(b"m436/1 a2s" + agent_nonce + server_nonce),
        key.digest(b"m436/1 s2a" + agent_nonce + server_nonce),
    )


def door_proof(secret: bytes, pin: str, nonce: str, path: str) -> str:
    """What a host shows at the TLS door: HMAC under its key over the certificate's pin, a nonce and the path."""
    return Key(secret).digest("\0".join(["m436/1 door", pin, nonce, path]).encode()).hex()


def seal(key: Key, kind: int, generation: int, session: int, number: int, body: bytes) -> bytes:
    """A datagram with `body`, tagged under `key`. Raises ValueError if it would be longer than MAX_DATAGRAM."""
    if len(body) > MAX_BODY:
        raise ValueError("a body of {} bytes does not fit a datagram".format(len(body)))
    signed = HEADER.pack(MAGIC, VERSION, kind, generation, session, number) + body
    return signed + key.digest(signed)[_TAG]


def header(datagram: bytes) -> "tuple[int, int, int, int]":
    """Type, key generation, session and number, in clear at the start of any datagram: nothing to be believed yet.

    Raises WireError "size", "magic", "version" or "type".
    """
    if not MIN_DATAGRAM <= len(datagram) <= MAX_DATAGRAM:
        raise WireError("size")
    magic, version, kind, generation, session, number = _unpack_header(datagram)
    if magic != MAGIC:
        raise WireError("magic")
    if version != VERSION:
        raise WireError("version")
    if kind not in NAMES:
        raise WireError("type")
    return kind, generation, session, number


def authenticate(key: Key, datagram: bytes) -> bytes:
    """The body of a datagram that carries the right tag. Raises WireError("tag")."""
    if not _compare_digest(key.digest(datagram[_SIGNED])[_TAG], datagram[_LAST]):
        raise WireError("tag")
    return datagram[_BODY]


def seal_greeting(key: Key, greeting: Greeting) -> bytes:
    """A HELLO or WELCOME: name, serial and nonce in clear before the body; a HELLO is padded to HELLO_SIZE."""
    name = greeting.name.encode()
    body = _GREETING.pack(greeting.nonce, greeting.serial, len(name)) + name + greeting.body
    if greeting.kind == HELLO:
        body = body.ljust(HELLO_SIZE - HEADER.size - TAG_SIZE)
    return seal(key, greeting.kind, greeting.generation, greeting.session, 0, body)


def open_greeting(datagram: bytes) -> Greeting:
    """The parts of a greeting, not yet authenticated: they say which key to try. Raises WireError."""
    kind, generation, session, number = header(datagram)
    if kind not in (HELLO, WELCOME) or number:
        raise WireError("type")
    start = HEADER.size + _GREETING.size
    if len(datagram) < start + TAG_SIZE:
        raise WireError("size")
    nonce, serial, length = _GREETING.unpack_from(datagram, HEADER.size)
    try:
        name = datagram[start : start + length].decode("ascii")
    except UnicodeDecodeError:
        raise WireError("name") from None
    if not HOST_NAME.match(name) or len(name) != length:
        raise WireError("name")
    return Greeting(kind, generation, session, nonce, serial, name, datagram[start + length : -TAG_SIZE])


def parse(body: bytes) -> "dict[str, object]":
    """The JSON object in a body that was authenticated. Raises WireError("body")."""
    if body.count(b"{") + body.count(b"[") > MAX_BRACKETS:
        raise WireError("body")
    try:
        parsed = _decode(body.decode("utf-8"))
    except ValueError:
        raise WireError("body") from None
    if not isinstance(parsed, dict):
        raise WireError("body")
    return parsed


def dump(message: "dict[str, object]") -> bytes:
    """A message as JSON, as short as it gets, UTF-8."""
    return _encode(message).encode("utf-8")


class Session:
    """One session's numbers and keys, seen from either side: seals what goes out, opens what comes in, once each."""

    __slots__ = ("id", "generation", "_out", "_in", "_sent", "_newest", "_missed")

    def __init__(self, id: int, generation: int, out_key: Key, in_key: Key) -> None:
        self.id = id
        self.generation = generation
        self._out = out_key
        self._in = in_key
        self._sent = 0
        self._newest = 0  # the highest number that was opened
        self._missed = 0  # bit i: the number `newest - i` was not opened; 0 nearly always, which costs nothing

    def seal(self, kind: int, body: bytes) -> bytes:
        """The next datagram of this session."""
        self._sent += 1
        return seal(self._out, kind, self.generation, self.id, self._sent, body)

    def open(self, datagram: bytes, number: int) -> bytes:
        """The body of `datagram`, whose header says `number`. Raises WireError "tag" or "replay"."""
        ahead = number - self._newest
        if ahead <= 0 and (ahead <= -WINDOW or not self._missed >> -ahead & 1):
            raise WireError("replay")
        inner = self._in.inner.copy()  # as Key.digest does: a call less in the hot path of the server
        inner.update(datagram[_SIGNED])
        outer = self._in.outer.copy()
        outer.update(inner.digest())
        if not _compare_digest(outer.digest()[_TAG], datagram[_LAST]):
            raise WireError("tag")
        if ahead == 1:  # the next one, as nearly always
            self._newest = number
            if self._missed:
                self._missed = self._missed << 1 & _FULL
        elif ahead > 0:
            self._newest = number
            between = (1 << min(ahead, WINDOW)) - 2  # the numbers between the two, bit 0 being the new one
            self._missed = (self._missed << ahead | between if ahead < WINDOW else between) & _FULL
        else:
            self._missed ^= 1 << -ahead
        return datagram[_BODY]
