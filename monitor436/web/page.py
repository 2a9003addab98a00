"""The dashboard's files: read once, packed once, and given with a mark by which a browser knows that it has them."""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from importlib import resources
from typing import NamedTuple

from monitor436.web.route import Answer, Call, Refusal, Route

FOLDER = "static"
INDEX = "index.html"
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}
# Nothing of another place, nothing written within the page, nothing around it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
SMALL = 512  # bytes below which packing saves nothing

Text = Callable[[Call], Awaitable[str]]


class File(NamedTuple):
    """A file of the page: as it is, and packed ("" if that is no gain), with its mark (RFC 9110 section 8.8.3)."""

    content: bytes
    packed: bytes
    kind: str
    mark: str


def read_files() -> dict[str, File]:
    """Every file of the page by name."""
    found = {}
    for entry in resources.files(__package__).joinpath(FOLDER).iterdir():
        kind = TYPES.get(entry.name.rpartition(".")[2])
        if kind is not None and entry.is_file():
            content = entry.read_bytes()
            packed = gzip.compress(content, 9, mtime=0) if len(content) > SMALL else b""
            found[entry.name] = File(content, packed, kind, sha256(content).hexdigest()[:20])
    return found


class Page:
    """The page at "/" and its files. Whoever asks for plain text at "/" gets `text`, which needs the scope read."""

    def __init__(self, text: Text) -> None:
        self._files = read_files()
        self._text = text

    def routes(self) -> list[Route]:
        """They are open: nothing in them is anybody's, and whoever signs in needs them first."""
        refuses = {404: "No such file."}
        return [
            Route("GET", "/", "", self.index, "The dashboard; plain text for curl.", content_type=TYPES["html"]),
            Route("GET", "/static/{file}", "", self.file, "A file of it.", refuses=refuses, content_type=TYPES["js"]),
        ]

    async def index(self, call: Call) -> Answer:
        """The page, or the overview as text."""
        if wants_text(call.headers):
            if not call.identity.scopes & {"read", "admin"}:
                challenge = {"WWW-Authenticate": 'Bearer realm="monitor436"'}
                detail = "send: Authorization: Bearer TOKEN (monitor436 token new NAME --scope read)"
                raise Refusal(401, "Unauthorized", detail, challenge)
            text = await self._text(call)
            return Answer(text.encode(), "text/plain; charset=utf-8", headers={"Vary": "Accept, User-Agent"})
        return self._given(INDEX, call.headers)

    async def file(self, call: Call) -> Answer:
        """One file."""
        return self._given(call.values["file"], call.headers)

    def _given(self, name: str, headers: Mapping[str, str]) -> Answer:
        file = self._files.get(name)
        if file is None:
            raise Refusal(404, "Not Found", "no such file")
        packed = bool(file.packed) and "gzip" in headers.get("accept-encoding", "")
        mark = f'"{file.mark}{"-gz" if packed else ""}"'
        about = {
            "ETag": mark,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            "Content-Security-Policy": POLICY,
        }
        if mark in [given.strip() for given in headers.get("if-none-match", "").split(",")]:
            return Answer(status=304, headers=about)
        if packed:
            about["Content-Encoding"] = "gzip"
        return Answer(file.packed if packed else file.content, file.kind, headers=about)


def wants_text(headers: Mapping[str, str]) -> bool:
    """Whether a client is a terminal's: it asks for plain text and for no HTML, or it is curl with no wish."""
    accepts = headers.get("accept", "*/*").lower()
    if "text/html" in accepts:
        return False
    return "text/plain" in accepts or headers.get("user-agent", "").lower().startswith(("curl/", "wget/", "httpie/"))
