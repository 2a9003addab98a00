"""A sign of life for an outside address, which alarms when it no longer comes."""

from collections.abc import Callable, Sequence
from typing import Any

from monitor436.model.event import NOTIFY_FAILED, Event, Field
from monitor436.model.settings.notify import Notify
from monitor436.notifiers.notifier import NotSent
from monitor436.notifiers.requests import Requests
from monitor436.periodic import Periodic

NAME = "dead man"
LONGEST = 30.0  # seconds that an answer may take
HEADERS = {"User-Agent": "monitor436"}


class DeadMan(Periodic):
    """Asks an outside address every so often while `well()`; what is in the way is told once, and that it works again.

    It is no proof that this server can be reached; its absence is one that it cannot speak.
    """

    def __init__(
        self, notify: Notify, well: Callable[[], bool], state: Callable[[Sequence[Event]], object], reactor: Any
    ) -> None:
        super().__init__(NAME, notify.dead_man_every, self._turn, reactor)
        self._well, self._state, self._reactor = well, state, reactor
        self._why = ""
        self.follow(notify)

    def follow(self, notify: Notify) -> None:
        """Other settings, from now on."""
        self._url = notify.dead_man
        self._requests = Requests(self._url, "", min(LONGEST, notify.dead_man_every), self._reactor)
        self.retime(notify.dead_man_every)

    async def _turn(self) -> None:
        if not self._url or not self._well():
            return
        try:
            await self._requests.send("GET", b"", HEADERS)
        except NotSent as problem:
            self._tell(str(problem))
        else:
            self._tell("")

    def _tell(self, why: str) -> None:
        was, self._why = self._why, why
        if bool(was) == bool(why):
            return
        text = f"the outside address of the dead man cannot be asked: {why}" if why else "the dead man works again"
        fields: dict[str, Field] = {"notifier": NAME, "state": "failing" if why else "works"}
        self._state([Event(severity="warning" if why else "info", kind=NOTIFY_FAILED, text=text, fields=fields)])
