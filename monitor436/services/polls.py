"""Status pages that are asked again and again: all polls of the settings, which come and go with them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

from monitor436.model.event import POLL_REFUSED, Event
from monitor436.model.fleet.polls import Kept, Polled
from monitor436.model.settings.polls import Poll
from monitor436.model.source import SettingsError
from monitor436.services.poll import Announced, PollService, State
from monitor436.state_folder import left_over, read_kept


class Polls(MultiService):
    """All polls of the settings; each keeps its state in a file of the folder `keeps`. Raises SettingsError."""

    log = Logger()

    def __init__(
        self, polls: Mapping[str, Poll], state: State, keeps: Path, announced: Announced, reactor: Any
    ) -> None:
        super().__init__()
        self.setName("polls")
        self._state, self._keeps = state, keeps
        self._make = lambda name, poll: PollService(name, poll, state, keeps / f"{name}.json", announced, reactor)
        self._polls: dict[str, PollService] = {}
        for name, poll in polls.items():
            self._add(name, poll)

    def startService(self) -> None:
        self._end_others()
        super().startService()

    def follow(self, polls: Mapping[str, Poll]) -> "Deferred[Any]":
        """Other settings: polls that changed begin anew with the state they have, those that are gone stop."""
        gone = {name: service for name, service in self._polls.items() if polls.get(name) != service.poll}
        stops = [Deferred.fromCoroutine(_stopped(service)) for service in gone.values()]
        for name in gone:
            del self._polls[name]
        for name, poll in polls.items():
            if name not in self._polls:
                try:
                    self._add(name, poll)
                except SettingsError as wrong:
                    text = f"poll {name} does not run: {wrong.told}"
                    self.log.error("{text}", text=text)
                    self._state([Event(severity="warning", kind=POLL_REFUSED, text=text, fields={"poll": name})])
        return DeferredList(stops).addCallback(lambda _: self._end_others())

    def known(self) -> dict[str, Kept]:
        """What each poll knows."""
        return {name: service.polled.kept for name, service in self._polls.items()}

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        for service in self._polls.values():
            service.heard(events)

    def _end_others(self) -> None:
        """What the settings name no more fails no more."""
        for path in left_over(self._keeps, self._polls):
            self._state(Polled(path.stem, 1, 1, read_kept(path, Kept)).end())
            path.unlink(missing_ok=True)

    def _add(self, name: str, poll: Poll) -> None:
        service = self._make(name, poll)
        self._polls[name] = service
        service.setServiceParent(self)


async def _stopped(service: PollService) -> None:
    await maybeDeferred(service.disownServiceParent)
