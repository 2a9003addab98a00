"""Sweeps over ssh again and again: each is a service, and what changes becomes events."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

from monitor436.inventory_file import inventory_stamp
from monitor436.model.event import HOST_DOWN, SWEEP_REFUSED, Event
from monitor436.model.fleet.polls import Found, suspicion
from monitor436.model.settings.sweeps import Sweep
from monitor436.model.source import SettingsError
from monitor436.model.sweep.remote import Result
from monitor436.model.sweep.sweeps import Agents, SweepKept, Swept
from monitor436.periodic import Periodic
from monitor436.probes.names import Names
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Probe, Target
from monitor436.probes.ssh.sweep import judged, ssh_probe, ssh_targets
from monitor436.pulse import Pulse
from monitor436.state_folder import left_over, read_kept, replace_kept

SECOND_LOOK = 1.0  # seconds after which hosts that went down are asked, those of that second together
MOST_SECOND_LOOKS = 100  # hosts that are asked so at once

State = Callable[[Sequence[Event]], object]
Make = Callable[[Sweep, Names, Any], Probe]


class SweepService(Periodic):
    """One sweep: a round every so often, its state in the file `keeps`, its news told to `state`.

    Keys, known hosts and inventory are read anew in each round. A host that goes down by its heartbeats is asked at
    once. The file is written after the events were handed over, so a crash may repeat one and loses none.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        sweep: Sweep,
        state: State,
        keeps: Path,
        agents: Agents,
        reactor: Any,
        make_probe: Make = ssh_probe,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(f"sweep {name}", sweep.every, self._turn, reactor)
        self.sweep = sweep
        self.sweep_name = name
        self.swept = Swept(name, sweep.fail_after, sweep.of, agents)
        self._state = state
        self._keeps = keeps
        self._agents = agents
        self._reactor = reactor
        self._make_probe = make_probe
        self._names = Names(reactor)
        self._monotonic, self._wall, self._dice = monotonic, wall, dice
        self._targets: list[Target] = []
        self._stamp: object = None
        self._refused = ""
        self._went_down: set[str] = set()
        self._looking: Any = None
        self._running: set[Deferred[None]] = set()

    def startService(self) -> None:
        self.swept = Swept(
            self.sweep_name, self.sweep.fail_after, self.sweep.of, self._agents, read_kept(self._keeps, SweepKept)
        )  # fmt: skip
        super().startService()

    def stopService(self) -> None:
        """A round that is under way is given up: it says nothing."""
        super().stopService()
        if self._looking is not None and self._looking.active():
            self._looking.cancel()
        for running in list(self._running):
            running.cancel()

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable: who went down is asked soon, whether only the agent is dead."""
        down = {event.host for event in events if event.kind == HOST_DOWN}
        if down and self.running:
            self._went_down |= down
            if self._looking is None or not self._looking.active():
                self._looking = self._reactor.callLater(SECOND_LOOK, self._look_again)

    def _look_again(self) -> None:
        down, self._went_down = self._went_down, set()
        known = [(target, self._agents(target.host)) for target in self._targets]
        chosen = [target for target, agent in known if agent is not None and agent.name in down]
        if chosen and self.running:
            self._run(self._second_look(chosen[:MOST_SECOND_LOOKS]))

    async def _second_look(self, targets: list[Target]) -> None:
        results, _ = await self._ask(targets)
        hosts = {target.name: target.host for target in targets}
        events = [event for each in results for event in self.swept.answered(each, hosts[each.host])]
        if events:
            self._state(events)
        self._keep()

    def _turn(self) -> "Deferred[None]":
        return self._run(self._jittered())

    def _run(self, work: Any) -> "Deferred[None]":
        running: Deferred[None] = Deferred.fromCoroutine(self._survived(work))
        self._running.add(running)
        running.addBoth(self._ended, running)
        return running

    def _ended(self, outcome: Any, running: "Deferred[None]") -> Any:
        self._running.discard(running)
        return outcome

    async def _survived(self, work: Any) -> None:
        try:
            await work
        except CancelledError:
            if self.running:
                raise
        except Exception:
            self.log.failure("sweep {name} failed; it goes on", name=self.sweep_name)

    async def _jittered(self) -> None:
        waits: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(self._dice() * self.sweep.jitter, waits.callback, None)
        await waits
        await self.round()

    async def round(self) -> None:
        """Ask everybody once."""
        self._read_targets()
        targets = self._targets
        began = self._monotonic()
        if not targets:
            return
        results, late = await self._ask(targets)
        if not results:
            return
        found = [Found(each.host, each.reason, each.error, each.took) for each in results]
        doubt = suspicion(found, late, self.sweep.timeout)
        hosts = {target.name: target.host for target in targets}
        events = self.swept.round(results, hosts, self._monotonic() - began, doubt)
        if events:
            self._state(events)
        self._keep()

    async def _ask(self, targets: Sequence[Target]) -> tuple[list[Result], float]:
        """What they say, in their order, and by how many seconds this process was late meanwhile."""
        try:
            probe = self._make_probe(self.sweep, self._names, self._reactor)
        except SettingsError as wrong:
            self._refuse(wrong.told)
            return [], 0.0
        self._refused = ""
        at = round(self._wall(), 3)
        poller = Poller(self._reactor, probe, self.sweep.at_once, monotonic=self._monotonic)
        pulse = Pulse(self._monotonic, self._reactor)
        pulse.startService()
        try:
            return await poller.read(targets, lambda answer: judged(answer, at)), pulse.late
        finally:
            pulse.stopService()
            await probe.close()

    def _read_targets(self) -> None:
        """The inventory, if it is another than last time. With mistakes it changes nothing, and is told once."""
        stamp = inventory_stamp(self.sweep.inventory) if self.sweep.inventory else ()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._targets = ssh_targets(self.sweep)
        except SettingsError as wrong:
            self._refused = ""
            self._refuse(f"the inventory was refused: {wrong.told}")

    def _refuse(self, why: str) -> None:
        if why != self._refused:
            self._refused = why
            self._state([refused(self.sweep_name, why)])

    def _keep(self) -> None:
        try:
            self._keeps.parent.mkdir(parents=True, exist_ok=True)
            replace_kept(self._keeps, self.swept.kept)
        except OSError as problem:
            self.log.warn("{path}: {why}", path=self._keeps, why=problem.strerror)


class Sweeps(MultiService):
    """All sweeps of the settings; each keeps its state in a file of the folder `keeps`."""

    def __init__(self, sweeps: Mapping[str, Sweep], state: State, keeps: Path, agents: Agents, reactor: Any) -> None:
        super().__init__()
        self.setName("sweeps")
        self._state, self._keeps, self._agents = state, keeps, agents
        self._make = lambda name, sweep: SweepService(name, sweep, state, keeps / f"{name}.json", agents, reactor)
        self._sweeps: dict[str, SweepService] = {}
        self._add(sweeps)

    def startService(self) -> None:
        self._end_others()
        super().startService()

    def follow(self, sweeps: Mapping[str, Sweep]) -> "Deferred[Any]":
        """Other settings: sweeps that changed begin anew with the state they have, those that are gone stop."""
        gone = [name for name, service in self._sweeps.items() if sweeps.get(name) != service.sweep]
        stops = [maybeDeferred(self._sweeps.pop(name).disownServiceParent) for name in gone]
        self._add(sweeps)
        return DeferredList(stops).addCallback(lambda _: self._end_others())

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        for service in self._sweeps.values():
            service.heard(events)

    def known(self) -> dict[str, SweepKept]:
        """What each sweep knows."""
        return {name: service.swept.kept for name, service in self._sweeps.items()}

    def _end_others(self) -> None:
        """What the settings name no more fails no more."""
        for path in left_over(self._keeps, self._sweeps):
            self._state(Swept(path.stem, 1, 1, self._agents, read_kept(path, SweepKept)).end())
            path.unlink(missing_ok=True)

    def _add(self, sweeps: Mapping[str, Sweep]) -> None:
        for name, sweep in sweeps.items():
            if name not in self._sweeps:
                service = self._sweeps[name] = self._make(name, sweep)
                service.setServiceParent(self)


def refused(name: str, why: str) -> Event:
    """A sweep cannot be made as the settings say."""
    return Event(severity="warning", kind=SWEEP_REFUSED, text=f"sweep {name}: {why}", fields={"sweep": name})
