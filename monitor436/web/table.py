"""The table of routes: which one a method and a path mean. A path is percent-decoded once, and has no tricks in it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from monitor436.web.route import Refusal, Route

LONGEST = 2048  # bytes of a path
ROOT = ("/",)  # the pieces of the path "/"; no other piece has a slash in it
_PLACE = re.compile(r"\{([a-z_]+)\}")
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Pieces = tuple[str, ...]


class Found(NamedTuple):
    """A route and what stands at its path's {places}."""

    route: Route
    values: Mapping[str, str]


class Table:
    """Every route once. Raises ValueError for two of one method and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._by_path: dict[Pieces, dict[str, Route]] = {}
        for route in self.routes:
            methods = self._by_path.setdefault(shape(route.path), {})
            if route.method in methods:
                raise ValueError(f"two routes for {route.method} {route.path}")
            methods[route.method] = route

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)

    def find(self, method: str, pieces: Pieces) -> Found:
        """The route for the pieces of a path. Raises Refusal: 404 for no such path, 405 for another method."""
        matching = [methods for path, methods in self._by_path.items() if _fits(path, pieces)]
        if not matching:
            raise Refusal(404, "Not Found", "no such page; GET /api/openapi.json lists them")
        for methods in sorted(matching, key=_places):  # what is written out comes before a {place}
            route = methods.get("GET" if method == "HEAD" else method)
            if route is not None:
                return Found(route, dict(_values(route.path, pieces)))
        known = {method for methods in matching for method in methods}
        allowed = ", ".join(sorted(known | ({"HEAD"} if "GET" in known else set())))
        raise Refusal(405, "Method Not Allowed", f"this page takes {allowed}", {"Allow": allowed})


def shape(path: str) -> Pieces:
    """The pieces of a route's path; "" stands for a {place}."""
    if path == "/":
        return ROOT
    return tuple("" if _PLACE.fullmatch(piece) else piece for piece in path.strip("/").split("/"))


def places(path: str) -> list[str]:
    """The names of the {places} of a route's path."""
    return _PLACE.findall(path)


def split(raw: bytes, base: str = "") -> tuple[Pieces, str]:
    """The pieces of a request's target, decoded, below the sub-path `base`; and its query as it came.

    Raises Refusal: 400 for what is no path or tries tricks with one, 404 for what is not below `base`, 414.
    """
    path, _, query = _without_authority(raw).partition(b"?")
    if len(path) > LONGEST:
        raise Refusal(414, "URI Too Long", f"a path here has at most {LONGEST} bytes")
    if not path.startswith(b"/") or b"#" in path:
        raise _bad("expected a path that begins with /")
    pieces = tuple(_decoded(piece) for piece in path[1:].split(b"/"))
    if base:
        below = tuple(base[1:].split("/"))
        if pieces == below:
            raise Refusal(308, "Permanent Redirect", headers={"Location": f"{base}/"})
        if pieces[: len(below)] != below:
            raise Refusal(404, "Not Found", f"everything here is below {base}/")
        pieces = pieces[len(below) :]
    return ROOT if pieces == ("",) else pieces, query.decode("ascii", "replace")


def _without_authority(raw: bytes) -> bytes:
    """A proxy may send a whole URL as target (RFC 9112 section 3.2.2); its host is that of the Host header."""
    found = re.match(rb"https?://[^/?#]*", raw, re.I)
    return raw[found.end() :] or b"/" if found else raw


def _decoded(piece: bytes) -> str:
    if _PERCENT.search(piece):
        raise _bad("a % in a path stands before two hexadecimal digits")
    decoded = unquote_to_bytes(piece)
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("a path is UTF-8") from None
    if text in (".", "..") or "/" in text or "\\" in text or any(ord(each) < 32 or ord(each) == 127 for each in text):
        raise _bad("a piece of a path is neither . nor .., and has no slash, backslash or control character in it")
    return text


def _bad(sentence: str) -> Refusal:
    return Refusal(400, "Bad Request", sentence)


def _fits(path: Pieces, pieces: Pieces) -> bool:
    return len(path) == len(pieces) and all(
        piece == wanted if wanted else bool(piece) for wanted, piece in zip(path, pieces, strict=True)
    )


def _places(methods: Mapping[str, Route]) -> int:
    return min(len(places(route.path)) for route in methods.values())


def _values(path: str, pieces: Pieces) -> Iterator[tuple[str, str]]:
    for wanted, piece in zip(path.strip("/").split("/"), pieces, strict=True):
        place = _PLACE.fullmatch(wanted)
        if place:
            yield place[1], piece
