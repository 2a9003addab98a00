"""Who is signed in with a browser: cookies by their hashes, bounded in number and time. A restart ends them all."""

import base64
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from monitor436.web.admission import COOKIE
from monitor436.web.route import Identity

LIFE = 8 * 3600.0  # seconds after which one signs in again
IDLE = 3600.0  # seconds without a request after which a session is over
MOST = 1000  # sessions at once; the one that asked for nothing longest goes first
RANDOM = 32  # bytes

Good = Callable[[], bool]


class Signed(NamedTuple):
    """A session: who it is, when it ends, when it was last seen (monotonic), and whether what it came from is good."""

    identity: Identity
    ends: float
    seen: float
    good: Good


class Browsers:
    """`clock` is monotonic; `random(n)` gives n bytes that nobody can guess."""

    def __init__(self, clock: Callable[[], float], random: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random = random
        self._signed: OrderedDict[str, Signed] = OrderedDict()

    def __len__(self) -> int:
        return len(self._signed)

    def begin(self, name: str, scopes: frozenset[str], good: Good = lambda: True) -> str:
        """The value of a cookie for somebody who has shown who he is."""
        now = self._clock()
        value = base64.urlsafe_b64encode(self._random(RANDOM)).rstrip(b"=").decode()
        self._signed[_hash(value)] = Signed(Identity(name, scopes, "cookie"), now + LIFE, now, good)
        while len(self._signed) > MOST:
            self._signed.popitem(last=False)
        return value

    def who(self, value: str) -> Identity | None:
        """Whose cookie this is; None if nobody's who is signed in."""
        key = _hash(value)
        signed = self._signed.get(key)
        if signed is None:
            return None
        now = self._clock()
        if now >= signed.ends or now - signed.seen >= IDLE or not signed.good():
            del self._signed[key]
            return None
        self._signed[key] = signed._replace(seen=now)
        self._signed.move_to_end(key)
        return signed.identity

    def end(self, header: str) -> None:
        """Every session of this Cookie header (RFC 6265) is over."""
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE:
                self._signed.pop(_hash(value), None)


def written(value: str, root: str, life: float = LIFE) -> str:
    """The Set-Cookie header for a client that reaches this server at `root`; an empty value takes it away."""
    scheme, _, rest = root.partition("://")
    path = "/" + rest.partition("/")[2]
    age = round(life) if value else 0
    secure = "; Secure" if scheme == "https" else ""
    return f"{COOKIE}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"


def _hash(value: str) -> str:
    return sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
