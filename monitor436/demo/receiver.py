"""Who is told of trouble in the rehearsal: a page on loopback that takes notifications as a webhook sends them."""

from typing import Any

from msgspec import json
from twisted.web.resource import Resource
from twisted.web.server import Request

from monitor436.demo.quiet import Quiet


class Receiver(Resource):
    """It listens as soon as it is made, at `url`. `told` are the items of every notification, the latest last."""

    isLeaf = True

    def __init__(self, address: str, reactor: Any) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []
        self._keys: set[bytes] = set()
        self._door = reactor.listenTCP(0, Quiet(self), interface=address)
        self.url = f"http://{address}:{self._door.getHost().port}/"

    def item(self, what: str, host: str) -> str:
        """The text of an item about a host, "alarm" or "recovery"; "" if none came."""
        return next((str(each["text"]) for each in self.told if (each["what"], each["host"]) == (what, host)), "")

    def render_POST(self, request: Request) -> bytes:
        key = request.getHeader(b"idempotency-key") or b""
        if key not in self._keys:
            self._keys.add(key)
            self.told += json.decode(request.content.read())["items"]  # type: ignore[union-attr]
        return b""

    def close(self) -> None:
        """It listens no more."""
        self._door.stopListening()
