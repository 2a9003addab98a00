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

    It is no proof that this server can be reached; its absence is one that it cannot speak. `make` gives what asks.
    """

    def __init__(
        self,
        notify: Notify,
        well: Callable[[], bool],
        state: Callable[[Sequence[Event]], object],
        reactor: Any,
        make: Callable[[str, str, float, Any], Requests] = Requests,
    ) -> None:
        super().__init__(NAME, notify.dead_man_every, self._turn, reactor)
        self._well, self._state, self._reactor, self._make = well, state, reactor, make
        self._url = self._why = ""
        self.follow(notify)

    def follow(self, notify: Notify) -> None:
        """Other settings, from now on."""
        if notify.dead_man != self._url:
            self._tell("")  # of the one that is gone, nothing is to be expected
        self._url = notify.dead_man
        self._requests = self._make(self._url, "", min(LONGEST, notify.dead_man_every), self._reactor)
        self.retime(notify.dead_man_every)

    async def _turn(self) -> None:
        if not self._url or not self._well():
            return
        url, why = self._url, ""
        try:
            await self._requests.send("GET", b"", HEADERS)
        except NotSent as problem:
            why = str(problem)
        if self.running and url == self._url:  # else nobody wants to know any more
            self._tell(why)

    def _tell(self, why: str) -> None:
        was, self._why = self._why, why
        if bool(was) == bool(why):
            return
        text = f"the outside address of the dead man cannot be asked: {why}" if why else "the dead man works again"
        fields: dict[str, Field] = {"notifier": NAME, "state": "failing" if why else "works"}
        self._state([Event(severity="warning" if why else "info", kind=NOTIFY_FAILED, text=text, fields=fields)])
