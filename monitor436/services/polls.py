"""Status pages that are asked again and again: each poll is a service, and what changes becomes events."""

import os
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import MsgspecError, json
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

from monitor436.model.event import POLL_FAILED, POLL_RECOVERED, POLL_REFUSED, POLL_UNTRUSTED, Event
from monitor436.model.inventory import Listed, read_inventory, read_line
from monitor436.model.polls import Found, Kept, Polled, suspicion
from monitor436.model.settings.polls import Poll
from monitor436.model.source import Problem, SettingsError
from monitor436.model.statuses import APPLICATION, VERSION, Question, StatusError, read_status
from monitor436.periodic import Periodic
from monitor436.probes.http import HttpProbe
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Probe, Target
from monitor436.probes.tls import TlsOptions

PULSE = 0.1  # seconds between two samples of how late this process is
MOST_INVENTORY = 16 << 20  # bytes of an inventory
QUESTION = Question(by=(APPLICATION, VERSION), wanted=(), counts=False)
TOLD = {POLL_FAILED, POLL_RECOVERED, POLL_UNTRUSTED}

State = Callable[[Sequence[Event]], object]
Stamp = tuple[int, int, int]
Announced = Callable[[], Iterable[Listed]]  # what plans say of hosts that were heard


def http_probe(poll: Poll, reactor: Any) -> HttpProbe:
    """What asks the targets of a poll. Raises SettingsError for certificates that cannot be used."""
    tls = TlsOptions(ca=poll.ca, insecure=poll.insecure) if poll.ca or poll.insecure else None
    try:
        return HttpProbe(reactor, poll.timeout, poll.headers.items(), tls)
    except (OSError, ValueError) as wrong:
        raise SettingsError([Problem(poll.ca, 0, 0, "", getattr(wrong, "strerror", None) or str(wrong))]) from None


class PollService(Periodic):
    """One poll: a round every so often, its state in the file `keeps`, its news told to `state`.

    `announced()` gives the targets that plans announce, for polls that ask for them.
    The file is written when events are durable (`heard` is told of them), so a crash may repeat one and loses none.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        poll: Poll,
        state: State,
        keeps: Path,
        announced: Announced,
        reactor: Any,
        make_probe: Callable[[Poll, Any], Probe] = http_probe,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(f"poll {name}", poll.every, self._turn, reactor)
        self.poll = poll
        self.poll_name = name
        self.polled = Polled(name, poll.fail_after, poll.of)
        self._state = state
        self._keeps = keeps
        self._announced = announced
        self._reactor = reactor
        self._probe = make_probe(poll, reactor)
        self._poller = Poller(reactor, self._probe, retries=poll.retries, monotonic=monotonic)
        self._monotonic, self._wall, self._dice = monotonic, wall, dice
        self._targets: list[Target] = []
        self._stamp: Stamp | None = None
        self._round: Deferred[None] | None = None
        self._unkept = False
        self._late = 0.0
        self._pulsed = 0.0

    def startService(self) -> None:
        self.polled = Polled(self.poll_name, self.poll.fail_after, self.poll.of, read_kept(self._keeps))
        super().startService()

    def stopService(self) -> "Deferred[None]":  # type: ignore[override]
        """A round that is under way is given up: it says nothing."""
        super().stopService()
        if self._round is not None:
            self._round.cancel()
        if self._unkept:
            self._keep()
        return Deferred.fromCoroutine(self._probe.close())

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        if self._unkept and any(event.kind in TOLD and event.fields.get("poll") == self.poll_name for event in events):
            self._keep()

    def _turn(self) -> "Deferred[None]":
        self._round = Deferred.fromCoroutine(self._jittered())
        return self._round

    async def _jittered(self) -> None:
        waits: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(self._dice() * self.poll.jitter, waits.callback, None)
        try:
            await waits
            await self.round()
        except CancelledError:
            if self.running:
                raise

    async def round(self) -> None:
        """Ask everybody once."""
        self._read_targets()
        canary = self._canary()
        listed = {target.url for target in self._targets}
        announced = [Target(*each) for each in self._announced()] if self.poll.plans else []
        targets = [*self._targets, *(each for each in announced if each.url not in listed), *canary]
        if not targets:
            return
        at, began = self._wall(), self._monotonic()
        pulse = Periodic("pulse", PULSE, self._beat, self._reactor)
        self._late, self._pulsed = 0.0, began
        pulse.startService()
        try:
            results = await self._poller.poll(targets)
        finally:
            self._beat()
            pulse.stopService()
        found = [self._found(result) for result in results]
        silent = ""
        if canary:
            silent = found.pop().text
        doubt = suspicion(found, self._late, self.poll.timeout, silent)
        events = self.polled.round(found, at, self._monotonic() - began, doubt)
        self._unkept = True
        if events:
            self._state(events)
        else:
            self._keep()

    def _beat(self) -> None:
        now = self._monotonic()
        self._late = max(self._late, now - self._pulsed - PULSE)
        self._pulsed = now

    def _found(self, result: Answer | Failed) -> Found:
        name = result.target.name
        if isinstance(result, Failed):
            return Found(name, result.reason, result.text, result.seconds)
        if self.poll.body == "any":
            return Found(name, seconds=result.seconds)
        try:
            application, version = read_status(result.body, QUESTION).group
        except StatusError as wrong:
            return Found(name, wrong.reason, wrong.text, result.seconds)
        return Found(name, seconds=result.seconds, group=(application, version))

    def _canary(self) -> list[Target]:
        return [Target(*read_line(self.poll.canary, self.poll.url))] if self.poll.canary else []

    def _read_targets(self) -> None:
        """The inventory, if it is another than last time. With mistakes it changes nothing, and is told once."""
        stamp = _stamp(self.poll.inventory) if self.poll.inventory else (0, 0, 0)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._targets = _targets(self.poll)
        except SettingsError as wrong:
            text = f"poll {self.poll_name}: the inventory was refused: {wrong}"
            self.log.error("{text}", text=text)
            event = Event(severity="warning", kind=POLL_REFUSED, text=text, fields={"poll": self.poll_name})
            self._state([event])

    def _keep(self) -> None:
        new = self._keeps.with_name(self._keeps.name + ".new")
        try:
            self._keeps.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(json.encode(self.polled.kept))
            os.replace(new, self._keeps)
            self._unkept = False
        except OSError as problem:
            self.log.warn("{path}: {why}", path=self._keeps, why=problem.strerror)


class Polls(MultiService):
    """All polls of the settings; each keeps its state in a file of the folder `keeps`. Raises SettingsError."""

    log = Logger()

    def __init__(
        self, polls: Mapping[str, Poll], state: State, keeps: Path, announced: Announced, reactor: Any
    ) -> None:
        super().__init__()
        self.setName("polls")
        self._state = state
        self._make = lambda name, poll: PollService(name, poll, state, keeps / f"{name}.json", announced, reactor)
        self._polls: dict[str, PollService] = {}
        for name, poll in polls.items():
            self._add(name, poll)

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
                    text = f"poll {name} does not run: {wrong}"
                    self.log.error("{text}", text=text)
                    self._state([Event(severity="warning", kind=POLL_REFUSED, text=text, fields={"poll": name})])
        return DeferredList(stops)

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        for service in self._polls.values():
            service.heard(events)

    def _add(self, name: str, poll: Poll) -> None:
        service = self._make(name, poll)
        self._polls[name] = service
        service.setServiceParent(self)


async def _stopped(service: PollService) -> None:
    await maybeDeferred(service.disownServiceParent)


def read_kept(path: Path) -> Kept | None:
    """What a poll knew last; None where there is nothing, or nothing that can be read."""
    try:
        return json.decode(path.read_bytes(), type=Kept)
    except (OSError, MsgspecError):
        return None


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return (0, -1, -1)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _targets(poll: Poll) -> list[Target]:
    """Everybody a poll asks, each once. Raises SettingsError."""
    listed = [Target(*read_line(written, poll.url)) for written in poll.targets]
    if poll.inventory:
        listed += [Target(*each) for each in read_inventory(_text(poll.inventory), poll.inventory, poll.url).targets]
    return list({target.url: target for target in listed}.values())


def _text(path: str) -> str:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
            return file.read(MOST_INVENTORY).decode("utf-8")
    except UnicodeDecodeError:
        raise SettingsError([Problem(path, 0, 0, "", "is not UTF-8 text")]) from None
    except OSError as wrong:
        raise SettingsError([Problem(path, 0, 0, "", f"cannot be read: {wrong.strerror}")]) from None
