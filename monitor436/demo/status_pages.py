"""Sixty status pages on loopback: three applications, two versions each, and two pages that fail."""

from pathlib import Path
from typing import Any

from msgspec import json
from twisted.web.resource import Resource
from twisted.web.server import Request

from monitor436.demo.quiet import Quiet

PAGES = 60
APPLICATIONS = ("shop", "search", "billing")
FAILING = (17, 42)


class StatusPage(Resource):
    """What one instance says of itself; `well` or 503."""

    isLeaf = True

    def __init__(self, application: str, version: str, requests: int, well: bool) -> None:
        super().__init__()
        errors = requests // 200
        self._well = well
        self._body = json.encode(
            {
                "Application": application,
                "Version": version,
                "Uptime": 86_400,
                "Request_Count": requests,
                "Error_Count": errors,
                "Success_Count": requests - errors,
            }
        )

    def render_GET(self, request: Request) -> bytes:
        if not self._well:
            request.setResponseCode(503)
            return b""
        request.setHeader(b"content-type", b"application/json")
        return self._body


class StatusPages:
    """They answer as soon as they are made; `inventory` is a file that lists them."""

    def __init__(self, folder: Path, address: str, reactor: Any) -> None:
        self._doors = []
        for number in range(PAGES):
            application = APPLICATIONS[number % len(APPLICATIONS)]
            page = StatusPage(application, f"1.{number % 2}", 1000 + 7 * number, number not in FAILING)
            self._doors.append(reactor.listenTCP(0, Quiet(page), interface=address))
        folder.mkdir()
        self.inventory = folder / "inventory.txt"
        self.inventory.write_text("".join(f"{address}:{door.getHost().port}\n" for door in self._doors))

    def close(self) -> None:
        """They listen no more."""
        for door in self._doors:
            door.stopListening()
