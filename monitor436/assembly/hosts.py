"""The side of hosts: the site and its names, plans, the UDP port and the TLS door, beacons, silence."""

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from monitor436.assembly.core import Core
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.enrolment import Enrolment
from monitor436.model.keys.sessions import Sessions
from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.server.neighbours import Neighbours
from monitor436.names import Names
from monitor436.periodic import Periodic
from monitor436.services.agent_file import AgentFile, packed
from monitor436.services.agents import AgentsProtocol, AgentsService
from monitor436.services.beacon import BeaconService
from monitor436.services.door import DoorService
from monitor436.services.health import Gauges, Health, kernel_drops
from monitor436.services.keeper import Keeper
from monitor436.services.liveness import Liveness
from monitor436.services.neighbours import NeighboursService
from monitor436.services.plans import Plans
from monitor436.services.rotation import Rotation
from monitor436.settling import Settling
from monitor436.site import Site
from monitor436.state_folder import AGENT_FILE, NAMES, ROSTER, SITE, VITALS

LOOKS = 1.0  # seconds between looks whether an operator approved or forgot a host


class Hosts:
    """Everything that hosts meet. Raises SiteError and OSError where the state folder cannot be used."""

    def __init__(self, core: Core) -> None:
        settings, reactor, state = core.settings, core.reactor, core.state
        self._core = core
        self.site = Site(core.folder / SITE)
        self._names = Names(core.folder / NAMES)
        rhythm = (settings.heartbeat.every, settings.heartbeat.late)
        canary = (settings.plans.canary, settings.plans.canary_wait)
        self.plans = Plans(settings.plans.folder, settings.plans.check_every, rhythm, canary, state, reactor)
        core.bus.subscribe(self.plans.heard)
        self._enrolment = Enrolment(self._names.read(), self.plans.generation)
        self.roster = Roster(self.plans.late, settings.heartbeat)
        self._protocol = AgentsProtocol(
            self._about, Sessions(self.site.key, os.urandom), self._enrolment, self._names.promise, self.roster,
            core.ledger, core.event_log, self.plans, time.monotonic,
        )  # fmt: skip
        place = (settings.agents.address, settings.agents.port, settings.agents.receive_buffer)
        self.agents = AgentsService(self._protocol, *place, reactor)
        self.agents.follow(settings.agents)
        self.agent_file = AgentFile(core.folder / AGENT_FILE, settings.plans.token_expires / 2, self._contents, reactor)
        self.door = self._door()
        self.liveness = Liveness(
            self.roster, core.event_log, self._protocol.ping, core.folder / ROSTER, core.name, time.monotonic, reactor
        )
        self.gauges = Gauges(
            self.liveness.lag, core.syncs, lambda: kernel_drops(self.agents.port), self._protocol.refused,
            self._protocol.heard, self.roster.spools, core.degraded,
            self.door.crowd, lambda: self._protocol.pace.held(time.monotonic()),
        )  # fmt: skip
        self.health = Health(self.gauges, state, core.folder / VITALS, core.name, time.monotonic, reactor)
        self.beacon = BeaconService(settings.beacon, self.site.keys, self._about, reactor)
        others = Neighbours(core.name, lambda: self.plans.mark)
        self.neighbours = NeighboursService(settings.beacon, self.site.keys, others, state, reactor)
        self.names = Periodic("names", LOOKS, self._commanded, reactor)
        self.settling = Settling(reactor)
        self.rotation = self._rotation()
        self.plans.changed = self._planned

    def checks_of(self, host: str) -> Iterable[str] | None:
        """The checks that the plan of a host has; None while no plans were read."""
        return self.plans.book.origin(host) if self.plans.mark else None

    def announced(self) -> Any:
        """What plans say of hosts that were heard."""
        return self.plans.announced(self.roster.addresses)

    def _about(self) -> dict[str, object]:
        return {
            "server": self._core.name,
            "boot": self._core.boot,
            "port": self.agents.port,
            "door": self.door.port,
            "degraded": bool(self._core.degraded()),
            "plans": self.plans.mark,
        }

    def _contents(self) -> dict[str, object]:
        settings = self._core.settings
        token = self.site.token(time.time(), settings.plans.token_expires)
        return packed(self.site, (self.agents.port, settings.beacon.port), settings.beacon.multicast, token)

    def _door(self) -> DoorService:
        asked = self._core.settings.plans
        keeper = Keeper(
            self.site, self._enrolment, self._names.keep, lambda token: self.site.good(token, time.time()), os.urandom,
            asked.join == "approve",
        )  # fmt: skip
        place = (asked.address, asked.port)
        return DoorService(
            keeper, self.site, asked.join != "closed", self.plans.plan, self.agent_file.content, self._core.state,
            place, self._core.reactor,
        )  # fmt: skip

    def _rotation(self) -> Rotation:
        """The services that use the site's keys have those in force now, and each that comes."""
        followers: list[Callable[[SiteKeys], object]] = [
            self._protocol.follow,
            self.beacon.follow,
            self.neighbours.follow,
        ]
        for follow in followers:
            follow(self.site.keys)
        last = [*followers, lambda keys: self.agent_file.write()]
        return Rotation(self.site, last, self._core.state, self._core.reactor)

    def _commanded(self) -> None:
        for bound in self._names.read():
            self._enrolment.take(bound)
            if bound.state == "forgotten":
                if self.roster.get(bound.name) is not None:
                    text = f"{bound.name} is forgotten: its name is free"
                    self._core.state([Event(kind=kinds.HOST_FORGOTTEN, host=bound.name, text=text)])
                self.roster.forget(bound.name)

    def _planned(self, hosts: object) -> None:
        self.roster.expect(self.plans.book.hosts(), time.monotonic())
        self.roster.retime()
        self._protocol.revoke()
        self._protocol.reset(hosts)  # type: ignore[arg-type]
