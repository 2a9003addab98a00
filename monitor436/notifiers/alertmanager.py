"""Alerts for Prometheus' Alertmanager, over its API v2: it groups, routes and repeats by its own rules."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import json

from monitor436.model.notify.notice import Item, Notice
from monitor436.model.notify.wording import plain
from monitor436.model.settings.notify import Alertmanager
from monitor436.notifiers.requests import Requests

PATH = "/api/v2/alerts"
MOMENT = 300.0  # seconds that what is no state counts as being there
LEVELS = ("warning", "critical")
MOST_LABEL = 500  # characters


class AlertmanagerNotifier:
    """What is bad is an alert that ends `expires` from now, stated anew every `refresh`; what is well, one that has
    ended.
    """

    def __init__(
        self, server: str, alertmanager: Alertmanager, reactor: Any, wall: Callable[[], float] = time.time
    ) -> None:
        self.refresh = alertmanager.refresh
        self._server = server
        self._settings = alertmanager
        self._requests = Requests(alertmanager.url, alertmanager.ca, alertmanager.time_limit, reactor)
        self._wall = wall

    async def send(self, notice: Notice) -> None:
        """POST what is news."""
        await self._post([alert for item in notice.items for alert in self._alerts(item)])

    async def restate(self, items: Sequence[Item]) -> None:
        """POST everything that is bad."""
        await self._post([alert for item in items for alert in self._alerts(item)])

    async def _post(self, alerts: list[dict[str, object]]) -> None:
        headers = {**self._settings.headers, "Content-Type": "application/json", "User-Agent": "monitor436"}
        if alerts:
            await self._requests.send("POST", json.encode(alerts), headers, PATH)

    def _alerts(self, item: Item) -> list[dict[str, object]]:
        now = self._wall()
        if item.what == "recovery":
            ended = [item.was] if item.was in LEVELS else LEVELS
            return [self._alert(item, severity, min(item.at, now)) for severity in ended]
        if item.what in ("happened", "test"):
            return [self._alert(item, item.severity, now + MOMENT)]
        ended = [level for level in LEVELS if level != item.severity] if item.was else []
        firing = self._alert(item, item.severity, now + self._settings.expires)
        return [*(self._alert(item, severity, now) for severity in ended), firing]

    def _alert(self, item: Item, severity: str, ends: float) -> dict[str, object]:
        begun = item.since or item.at
        labels = {
            "alertname": item.check or ("host" if item.host else "monitor436"),
            "severity": severity,
            "host": item.host,
            "check": item.check,
            "of": item.of.lstrip(":"),
            "server": self._server,
            "tags": ",".join(item.tags),
        }
        annotations = {"summary": f"{item.subject}: {item.text}", "what": item.what}
        if item.behind:
            annotations["behind"] = f"{len(item.behind)} hosts: {', '.join(item.behind[:50])}"
        return {
            "labels": {name: plain(value)[:MOST_LABEL] for name, value in labels.items() if value},
            "annotations": {name: plain(value) for name, value in annotations.items()},
            "startsAt": _stamp(min(begun, ends)),
            "endsAt": _stamp(ends),
        }


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
