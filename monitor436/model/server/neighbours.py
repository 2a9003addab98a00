"""The other servers of the site, as their beacons tell of them: whether they serve the same plans. Pure."""

from collections.abc import Callable

from monitor436.model import event as kinds
from monitor436.model.event import Event

PATIENCE = 30.0  # seconds for which plans may differ: an edit reaches one server before the other
MOST = 100  # servers


class Neighbours:
    """Compares the marks of plans. `name` and `mark()` are this server's."""

    def __init__(self, name: str, mark: Callable[[], str]) -> None:
        self._name = name
        self._mark = mark
        self._differs: dict[str, float] = {}  # since when, by server
        self._told: set[str] = set()

    def heard(self, server: str, mark: str, now: float) -> list[Event]:
        """A beacon of another server came: the news, if its plans have differed for too long, or no longer do."""
        if server == self._name:
            return []
        if mark == self._mark():
            self._differs.pop(server, None)
            if server not in self._told:
                return []
            self._told.discard(server)
            return [self._event("info", f"{server} serves the same plans again", server)]
        if len(self._differs) >= MOST and server not in self._differs:
            return []
        since = self._differs.setdefault(server, now)
        if now - since < PATIENCE or server in self._told:
            return []
        self._told.add(server)
        text = f"{server} serves other plans than this server: hosts change plans whenever they change servers"
        return [self._event("warning", text, server)]

    def _event(self, severity: kinds.Severity, text: str, server: str) -> Event:
        return Event(kind=kinds.PLANS_DIFFER, severity=severity, text=text, fields={"server": server})
