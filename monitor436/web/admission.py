"""Who may pass: the identity behind a request, and whether it has the scope that a route asks for."""

from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

from monitor436.model.keys.issued import Issued
from monitor436.model.keys.issued import opened as opened_issued
from monitor436.model.keys.tokens import Token
from monitor436.model.keys.tries import Tries
from monitor436.web.problem import REALM, unauthorised
from monitor436.web.proxies import Via, is_address
from monitor436.web.route import NOBODY, SCOPES, Identity, Refusal, Route
from monitor436.web.tls import Shown

HOW = "send: Authorization: Bearer TOKEN (monitor436 token new NAME --scope {scope})"
LOCAL = ("localhost",)


COOKIE = "m436"  # of a page that somebody signed in at
OURS = "x-monitor436"  # a header that a page of somebody else cannot make a browser send


def nobody(cookie: str) -> Identity | None:
    """Where nobody signs in."""
    return None


class Admission:
    """`find` gives the token that was made by hand and is shown, `keys()` those under which short-lived ones are good.

    `without_token` are scopes that everybody has who names this server by an address, or one of its `names`.
    `clock` is monotonic, `wall` says the time for expiries.
    """

    def __init__(
        self,
        find: Callable[[str], Token | None],
        keys: Callable[[], tuple[bytes, ...]],
        without_token: Collection[str],
        names: Collection[str],
        clock: Callable[[], float],
        wall: Callable[[], float],
        sessions: Callable[[str], Identity | None] = nobody,
    ) -> None:
        self._find = find
        self._keys = keys
        self._open = frozenset(without_token)
        self._names = frozenset((*LOCAL, *names))
        self._tries = Tries()
        self._clock = clock
        self._wall = wall
        self._sessions = sessions

    def follow(self, without_token: Collection[str], names: Collection[str]) -> None:
        """Other settings from now on."""
        self._open = frozenset(without_token)
        self._names = frozenset((*LOCAL, *names))

    def identity(self, route: Route, headers: Mapping[str, str], via: Via, certificate: Shown | None) -> Identity:
        """Who asks for a route. Raises Refusal: 401 without a good token, 403 without the scope, 421, 429."""
        known = self.by_token(headers.get("authorization", ""), via.address) or self._signed_in(route, headers, via)
        if known is not None:
            if route.scope and route.scope not in known.scopes and "admin" not in known.scopes:
                challenge = {"WWW-Authenticate": f'{REALM["WWW-Authenticate"]}, error="insufficient_scope"'}
                raise Refusal(403, "Forbidden", f"{known.name} has not the scope {route.scope}", challenge)
            return known
        if route.scope and route.scope not in self._open:
            raise unauthorised(HOW.format(scope=route.scope))
        if route.scope:
            self._refuse_tricked_browsers(headers, via)
        named = NOBODY
        if certificate is not None:
            named = Identity(certificate.name, via="certificate", hosts=certificate.hosts)
        return named._replace(scopes=frozenset(scope for scope in SCOPES if scope in self._open))

    def by_token(self, header: str, address: str) -> Identity | None:
        """Whom the Authorization header names, None without one. Raises Refusal for a wrong one."""
        if not header:
            return None
        kind, _, shown = header.partition(" ")
        shown = shown.strip()
        why = "expected Authorization: Bearer TOKEN"
        if kind.lower() == "bearer":
            now = self._wall()
            found = self._find(shown)
            if found is not None and found.good(now):
                return _by_token(found)
            issued = opened_issued(self._keys(), shown, now)
            if issued is not None:
                return _by_issue(issued)
            why = f"the token {found.name} has expired" if found is not None else "the token is not good here"
        raise self.wrong(address, why)

    def wrong(self, address: str, why: str) -> Refusal:
        """What somebody gets who showed something wrong: 401 with why, and 429 after a number of them."""
        wait = self._tries.wrong(address, self._clock())
        if not wait:
            return unauthorised(why)
        retry = {"Retry-After": f"{wait + 1:.0f}"}
        return Refusal(429, "Too Many Requests", "too many wrong tokens from this address", retry)

    def _signed_in(self, route: Route, headers: Mapping[str, str], via: Via) -> Identity | None:
        """Whom a cookie names. What changes something must come from a page of ours: browsers send cookies for all."""
        for pair in headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            known = self._sessions(value) if name == COOKIE and value else None
            if known is not None:
                origin = headers.get("origin", "")
                if route.method != "GET" and (headers.get(OURS) != "1" or (origin and not _same(origin, via))):
                    raise Refusal(403, "Forbidden", "a page of another site may not ask here with your cookie")
                return known
        return None

    def _refuse_tricked_browsers(self, headers: Mapping[str, str], via: Via) -> None:
        """A page of somebody else may make a browser ask us, under a name of its own or from its own origin."""
        if via.host not in self._names and not is_address(via.host):
            sentence = f"without a token this server answers to addresses and http.names, not to {via.host[:100]}"
            raise Refusal(421, "Misdirected Request", sentence)
        origin = headers.get("origin", "")
        if headers.get("sec-fetch-site", "same-origin") == "cross-site" or (origin and not _same(origin, via)):
            raise Refusal(403, "Forbidden", "a page of another site may not ask here without a token")


def _by_token(token: Token) -> Identity:
    return Identity(token.name, frozenset(token.scopes), "token", token.host)


def _by_issue(issued: Issued) -> Identity:
    return Identity(issued.name, frozenset(issued.scopes), "issued", issued.host)


def _same(origin: str, via: Via) -> bool:
    """Whether a page of this origin (RFC 6454) is one of ours."""
    try:
        ours, theirs = urlsplit(via.root), urlsplit(origin)
        return (ours.scheme, ours.netloc.lower()) == (theirs.scheme, theirs.netloc.lower())
    except ValueError:
        return False
