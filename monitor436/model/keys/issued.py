"""Short-lived tokens that need no file: what one may stands in it, under an HMAC of the site key.

"m436i_" payload "." tag, both base64url; the payload is the JSON of Issued, the tag HMAC-SHA-256 (RFC 2104) over it.
Every server of a site takes them; one made under the site key before is good as long as that key is.
"""

import base64
import hmac
import re
from hashlib import sha256

from msgspec import MsgspecError, Struct, json

from monitor436.model.keys.tokens import Grant

PREFIX = "m436i_"
ISSUED = re.compile(r"m436i_([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{43})")
PURPOSE = b"m436/1 issued token"


class Issued(Struct, frozen=True, array_like=True):
    """What a token says of whoever has it; `expires` is in seconds since the epoch."""

    name: str
    host: str
    scopes: tuple[Grant, ...]
    expires: int


def issue(key: bytes, issued: Issued) -> str:
    """The token that says this, under a site's key."""
    payload = _text(json.encode(issued))
    return f"{PREFIX}{payload}.{_tag(key, payload)}"


def opened(keys: tuple[bytes, ...], shown: str, now: float) -> Issued | None:
    """What a token says; None if none of the `keys` made it, or it has expired at `now` (wall clock)."""
    found = ISSUED.fullmatch(shown)
    if not found:
        return None
    payload, tag = found.groups()
    if not any(hmac.compare_digest(_tag(key, payload), tag) for key in keys):
        return None
    try:
        issued = json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=Issued)
    except (MsgspecError, ValueError):
        return None
    return issued if now < issued.expires else None


def _tag(key: bytes, payload: str) -> str:
    return _text(hmac.new(hmac.new(key, PURPOSE, sha256).digest(), payload.encode(), sha256).digest())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
