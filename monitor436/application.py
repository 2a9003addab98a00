"""The inventory: settings in, the tree of services out."""

import os
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from monitor436 import __version__
from monitor436.bus import EventBus
from monitor436.journal import Journal
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.enrolment import Enrolment
from monitor436.model.keys.sessions import Sessions
from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.server.lag import Stopwatch
from monitor436.model.server.neighbours import Neighbours
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.model.stream.ledger import Ledger
from monitor436.names import Names
from monitor436.one_thread import one_thread
from monitor436.ordered import OrderedServices, StartError
from monitor436.periodic import Periodic
from monitor436.services.agent_file import AgentFile, packed
from monitor436.services.agents import AgentsProtocol, AgentsService
from monitor436.services.beacon import BeaconService
from monitor436.services.door import DoorService
from monitor436.services.event_log import REOPEN, EventLog
from monitor436.services.health import Gauges, Health, kernel_drops, timed
from monitor436.services.keeper import Keeper
from monitor436.services.liveness import Liveness
from monitor436.services.neighbours import NeighboursService
from monitor436.services.plans import Plans
from monitor436.services.polls import Polls
from monitor436.services.rotation import Rotation
from monitor436.settling import Settling
from monitor436.site import Site

NAMES = 1.0  # seconds between looks whether an operator approved or forgot a host
ROTATION = 1.0  # seconds between looks whether the events file is to be rotated
AGENT_FILE = "agent436.pyz"
ROSTER = "roster.json"
VITALS = "vitals.json"
POLLS = "polls"  # a folder


def server_name(settings: Settings) -> str:
    """What this server calls itself in beacons and events."""
    return settings.name or socket.gethostname().split(".")[0].lower()


class Monitor(OrderedServices):
    """The whole server as one service.

    `bus` tells of every durable event, `state` is the folder of its state; parts are found by `getServiceNamed`.
    """

    log = Logger()

    def __init__(self, bus: EventBus, state: Path, event_log: EventLog, plans: Plans) -> None:
        super().__init__()
        self.bus = bus
        self.state = state
        self._event_log = event_log
        self._plans = plans

    def startService(self) -> None:
        """What stands in the way of a start ends the process with one sentence and status 1."""
        try:
            super().startService()
        except (StartError, OSError) as problem:
            raise SystemExit(f"monitor436: {problem}") from None
        text = f"server {__version__} started"
        self._event_log.state([Event(kind=kinds.SERVER_STARTED, text=text, fields={"version": __version__})])

    def stopService(self) -> Any:
        self._event_log.last_words = [Event(kind=kinds.SERVER_STOPPED, text="server stopped")]
        return super().stopService()

    def hang_up(self, read: Callable[[], Settings]) -> None:
        """HUP: open the events file anew, read keys, settings and plans again. What has mistakes changes nothing."""
        self._event_log.reopen()
        self.getServiceNamed("site").reload()
        try:
            settings = read()
        except SettingsError as wrong:
            text = f"the settings were refused, the old ones stay in force: {wrong}"
            self.log.error("{text}", text=text)
            self._event_log.state([Event(kind=kinds.SETTINGS_REFUSED, severity="warning", text=text)])
            return
        self.log.info("settings read again; addresses, ports and files are those of the start")
        self.getServiceNamed("liveness").follow(settings.heartbeat)
        self.getServiceNamed("polls").follow(settings.polls)
        self._plans.reload(settings.plans.folder, (settings.heartbeat.every, settings.heartbeat.late))


def make_service(settings: Settings, reactor: Any) -> Monitor:
    """The server that `settings` describe, not started yet.

    Its parts stand in the order in which they start; they stop in the opposite one, the event log last.
    Raises SiteError and OSError where the state folder cannot be used.
    """
    state = Path(settings.state)
    name, boot = server_name(settings), os.urandom(8).hex()
    site = Site(state / "site")
    names = Names(state / "names.jsonl")
    sessions = Sessions(site.key, os.urandom)
    ledger = Ledger()
    bus = EventBus()
    kept = settings.events
    journal = Journal(Path(kept.file), kept.rotate_at, kept.rotate_every, kept.keep)
    syncs = Stopwatch()
    in_thread = timed(one_thread(reactor, "events"), syncs, time.monotonic)
    event_log = EventLog(journal, ledger, bus, (name, boot), in_thread, time.time)
    rhythm = (settings.heartbeat.every, settings.heartbeat.late)
    canary = (settings.plans.canary, settings.plans.canary_wait)
    plans = Plans(settings.plans.folder, settings.plans.check_every, rhythm, canary, event_log.state, reactor)
    bus.subscribe(plans.heard)
    enrolment = Enrolment(names.read(), plans.generation)
    roster = Roster(plans.late, settings.heartbeat)

    def about() -> dict[str, object]:
        return {
            "server": name,
            "boot": boot,
            "port": agents.port,
            "door": door.port,
            "degraded": bool(event_log.degraded),
            "plans": plans.mark,
        }

    def contents() -> dict[str, object]:
        token = site.token(time.time(), settings.plans.token_expires)
        return packed(site, (agents.port, settings.beacon.port), settings.beacon.multicast, token)

    protocol = AgentsProtocol(
        about, sessions, enrolment, names.promise, roster, ledger, event_log, plans, time.monotonic
    )
    agents = AgentsService(
        protocol, settings.agents.address, settings.agents.port, settings.agents.receive_buffer, reactor
    )
    agent_file = AgentFile(state / AGENT_FILE, settings.plans.token_expires / 2, contents, reactor)
    approve = settings.plans.join == "approve"
    keeper = Keeper(site, enrolment, names.keep, lambda token: site.good(token, time.time()), os.urandom, approve)
    joinable = settings.plans.join != "closed"
    place = (settings.plans.address, settings.plans.port)
    door = DoorService(keeper, site, joinable, plans.plan, agent_file.content, event_log.state, place, reactor)
    liveness = Liveness(roster, event_log, protocol.ping, state / ROSTER, name, time.monotonic, reactor)
    drops, counts = lambda: kernel_drops(agents.port), (protocol.refused, protocol.heard)
    gauges = Gauges(liveness.lag, syncs, drops, *counts, roster.spools, lambda: event_log.degraded)
    health = Health(gauges, event_log.state, state / VITALS, name, time.monotonic, reactor)
    beacon = BeaconService(settings.beacon, site.keys, about, reactor)
    announced = partial(plans.announced, roster.addresses)
    polls = Polls(settings.polls, event_log.state, state / POLLS, announced, reactor)
    bus.subscribe(polls.heard)
    others = Neighbours(name, lambda: plans.mark)
    neighbours = NeighboursService(settings.beacon, site.keys, others, event_log.state, reactor)

    followers: list[Callable[[SiteKeys], object]] = [protocol.follow, beacon.follow, neighbours.follow]
    for follow in followers:
        follow(site.keys)
    rotation = Rotation(site, [*followers, lambda keys: agent_file.write()], event_log.state, reactor)

    def commanded() -> None:
        for bound in names.read():
            enrolment.take(bound)
            if bound.state == "forgotten":
                roster.forget(bound.name)

    def planned(hosts: object) -> None:
        roster.expect(plans.book.hosts(), time.monotonic())
        roster.retime()
        protocol.revoke()
        protocol.reset(hosts)  # type: ignore[arg-type]

    plans.changed = planned
    monitor = Monitor(bus, state, event_log, plans)
    for part in (
        event_log,
        Periodic("rotation", ROTATION, event_log.rotate_if_due, reactor),
        Periodic("recovery", REOPEN, event_log.recover, reactor),
        plans,
        Periodic("names", NAMES, commanded, reactor),
        rotation,
        agents,
        door,
        agent_file,
        liveness,
        health,
        polls,
        Settling(reactor),
        beacon,
        neighbours,
    ):
        part.setServiceParent(monitor)
    return monitor
