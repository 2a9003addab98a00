"""One poll of status pages: a service that asks them again and again, and states what changes."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from monitor436.inventory_file import Stamp, inventory_stamp, read_inventory_file
from monitor436.model.event import POLL_FAILED, POLL_RECOVERED, POLL_REFUSED, POLL_UNTRUSTED, Event
from monitor436.model.fleet.inventory import Listed, read_line
from monitor436.model.fleet.polls import Found, Kept, Polled, suspicion
from monitor436.model.fleet.statuses import APPLICATION, VERSION, Question, StatusError, read_status
from monitor436.model.settings.polls import Poll
from monitor436.model.source import Problem, SettingsError
from monitor436.periodic import Periodic
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Probe, Target
from monitor436.probes.web.http import HttpProbe
from monitor436.probes.web.tls import TlsOptions
from monitor436.pulse import Pulse
from monitor436.state_folder import read_kept, replace_kept

NO_FILE: Stamp = (0, 0, 0)
QUESTION = Question(by=(APPLICATION, VERSION), wanted=(), counts=False)
TOLD = {POLL_FAILED, POLL_RECOVERED, POLL_UNTRUSTED}

State = Callable[[Sequence[Event]], object]
InThread = Callable[[Callable[[], "Read | None"]], Deferred["Read | None"]]
Announced = Callable[[], Iterable[Listed]]  # what plans say of hosts that were heard


def http_probe(poll: Poll, reactor: Any) -> Probe:
    """What asks the targets of a poll. Raises SettingsError for certificates that cannot be used."""
    tls = TlsOptions(ca=poll.ca, insecure=poll.insecure) if poll.ca or poll.insecure else None
    try:
        if not poll.follow:
            return HttpProbe(reactor, poll.timeout, poll.headers.items(), tls)
        from monitor436.probes.web.following import FollowingProbe  # treq, for those who need it

        return FollowingProbe(reactor, poll.timeout, poll.headers.items(), tls, follow=poll.follow)
    except (OSError, ValueError) as wrong:
        raise SettingsError([Problem(poll.ca, 0, 0, "", getattr(wrong, "strerror", None) or str(wrong))]) from None


class Read(NamedTuple):
    """What reading an inventory came to: its targets, or why it was refused."""

    stamp: Stamp
    targets: list[Target] | None
    problem: str


def read_again(poll: Poll, known: Stamp | None) -> Read | None:
    """The targets of a poll whose inventory is not the `known` one any more. Blocks."""
    stamp = inventory_stamp(poll.inventory)
    if stamp == known:
        return None
    try:
        return Read(stamp, _targets(poll), "")
    except SettingsError as wrong:
        return Read(stamp, None, wrong.told)


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
        in_thread: InThread | None = None,
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
        self._in_thread = in_thread or (lambda call: deferToThreadPool(reactor, reactor.getThreadPool(), call))
        self._targets: list[Target] = []
        self._stamp: Stamp | None = None
        self._round: Deferred[None] | None = None
        self._unkept = False

    def startService(self) -> None:
        self.polled = Polled(self.poll_name, self.poll.fail_after, self.poll.of, read_kept(self._keeps, Kept))
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
        await self._read_targets()
        canary = self._canary()
        listed = {target.url for target in self._targets}
        announced = [Target(*each) for each in self._announced()] if self.poll.plans else []
        targets = [*self._targets, *(each for each in announced if each.url not in listed), *canary]
        if not targets:
            return
        at, began = self._wall(), self._monotonic()
        pulse = Pulse(self._monotonic, self._reactor)
        pulse.startService()
        try:
            found = await self._poller.read(targets, self._found)
        finally:
            pulse.stopService()
        silent = ""
        if canary:
            silent = found.pop().text
        doubt = suspicion(found, pulse.late, self.poll.timeout, silent)
        events = self.polled.round(found, at, self._monotonic() - began, doubt)
        self._unkept = True
        if events:
            self._state(events)
        else:
            self._keep()

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

    async def _read_targets(self) -> None:
        """The inventory, if it is another than last time. With mistakes it changes nothing, and is told once.

        Files are read in a thread: a large one takes a second, one on another machine as long as that likes.
        """
        stamp = self._stamp
        if not self.poll.inventory:
            read = None if stamp else Read(NO_FILE, _targets(self.poll), "")
        else:
            read = await self._in_thread(lambda: read_again(self.poll, stamp))
        if read is None:
            return
        self._stamp = read.stamp
        if read.targets is not None:
            self._targets = read.targets
            return
        text = f"poll {self.poll_name}: the inventory was refused: {read.problem}"
        self.log.error("{text}", text=text)
        event = Event(severity="warning", kind=POLL_REFUSED, text=text, fields={"poll": self.poll_name})
        self._state([event])

    def _keep(self) -> None:
        try:
            self._keeps.parent.mkdir(parents=True, exist_ok=True)
            replace_kept(self._keeps, self.polled.kept)
            self._unkept = False
        except OSError as problem:
            self.log.warn("{path}: {why}", path=self._keeps, why=problem.strerror)


def _targets(poll: Poll) -> list[Target]:
    """Everybody a poll asks, each once. Raises SettingsError."""
    listed = [Target(*read_line(written, poll.url)) for written in poll.targets]
    if poll.inventory:
        listed += [Target(*each) for each in read_inventory_file(poll.inventory, poll.url).targets]
    return list({target.url: target for target in listed}.values())
