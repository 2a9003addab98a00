"""A real server over a fleet that is made up: thousands of hosts with checks, metrics and a history, in one process.

`python -m tests.e2e.made_up_fleet FOLDER HOSTS [--admin]` prints a sign-in link when it is ready, and then reads
commands: `turn N` states N events and says `done`, `link SCOPE` prints another link. It ends with its input.
"""

import os
import random
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf, pi, sin
from pathlib import Path
from typing import Any

from msgspec import json, structs

from monitor436.agent import wire
from monitor436.application import make_service
from monitor436.last_seen import Snapshot
from monitor436.links import Links
from monitor436.model.event import Event, Severity
from monitor436.model.fleet.polls import Kept, Summary
from monitor436.model.fleet.polls import Seen as Target
from monitor436.model.hosts.host import Seen
from monitor436.model.hosts.roster import Roster
from monitor436.model.metrics.rollup import Sample
from monitor436.model.server.troubles import LIMITS, Troubles
from monitor436.model.settings.events import Events
from monitor436.model.settings.hosts import Heartbeat
from monitor436.model.settings.polls import Poll
from monitor436.model.settings.sweeps import Sweep
from monitor436.model.settings.whole import Settings
from monitor436.model.sweep.sweeps import Last, SweepKept
from monitor436.state_folder import LINKS, ROSTER
from tests.e2e.servers import on_loopback

SEED = 436
AT_ONCE = 2000  # events that are stated in a turn of the reactor
NEVER = 1e9  # seconds within which a round begins: at any moment of them, so not while a test looks
GROUPS = {"web": 0.4, "app": 0.3, "db": 0.12, "cache": 0.1, "mail": 0.05, "build": 0.03}
CHECKS = (
    "root full",
    "load",
    "memory",
    "inodes",
    "syslog errors",
    "sshd",
    "ntp offset",
    "certificates",
    "raid",
    "swap",
)
LABELS = (*CHECKS, "cpu.percent", "net.in_kbps")
HOSTILE = "<img src=x onerror=alert(1)> \x1b[31mred\x07 \u202egnp.exe\u202c '\"&amp; {{7*7}} </script>"
PLAN = """\
groups:
{groups}
hosts: ["*"]
checks:
  root full:
    reading: filesystem_used_percent
    of: /
    every: 1m
    warning: above 80
    critical: above 90
  load:
    reading: load1
    every: 10s
    warning: above 8
  syslog errors:
    log: /var/log/syslog
    match: ["error", "fail(ed|ure)"]
    severity: warning
    tags: [os]
"""
WEB = """\
hosts: ["@web"]
checks:
  certificates:
    command: [/usr/lib/nagios/plugins/check_http, -C, "21,7"]
    every: 1h
  access log:
    log: /var/log/nginx/error.log
    match: ['\\[crit\\]']
    severity: critical
"""
TROUBLE: tuple[tuple[str, Severity, str], ...] = (
    ("root full", "critical", "/ is 94.1 percent full, above 90"),
    ("load", "warning", "load1 is 11.2, above 8"),
    ("certificates", "warning", "certificate of shop.example ends in 13 days"),
    ("raid", "critical", "md0 is degraded: 1 of 2 disks"),
    ("syslog errors", "warning", "kernel: EXT4-fs error (device sda1): ext4_find_entry"),
    ("ntp offset", "warning", "offset is 0.82 s, above 0.5"),
)


def names(hosts: int) -> list[str]:
    """Hosts by name, in groups of about their part."""
    found = []
    for group, part in GROUPS.items():
        found += [f"{group}{number:03}" for number in range(1, max(2, round(hosts * part)) + 1)]
    return sorted(found)[:hosts]


def settings(folder: Path) -> Settings:
    """On loopback; nobody is late by the clock, as nobody beats, and nobody is asked."""
    state = folder / "var"
    given = on_loopback("north")
    targets = tuple(f"10.9.{number // 250}.{number % 250 + 1}" for number in range(60))
    return structs.replace(
        given,
        state=str(state),
        plans=structs.replace(given.plans, folder=str(folder / "agents")),
        events=Events(file=str(state / "events.jsonl")),
        heartbeat=Heartbeat(every=3600.0, late=86400.0),
        polls={"shop": Poll(targets=targets, every=3600.0, jitter=NEVER)},
        sweeps={"racks": Sweep(targets=targets[:5], agent="/none", known_hosts=("/none",), every=3600.0, jitter=NEVER)},
    )


class Fleet:
    """The hosts, and what has happened to them."""

    def __init__(self, folder: Path, hosts: int) -> None:
        self.dice = random.Random(SEED)
        self.names = names(hosts)
        self.settings = settings(folder)
        self.state = Path(self.settings.state)
        self.state.mkdir(parents=True)
        self.numbers: dict[str, int] = {}
        plans = Path(self.settings.plans.folder)
        plans.mkdir()
        groups = "\n".join(f'  {group}: ["{group}*"]' for group in GROUPS)
        (plans / "all.yaml").write_text(PLAN.format(groups=groups))
        (plans / "web.yaml").write_text(WEB)
        self._keep_roster()
        self._keep_poll()
        self._keep_sweep()

    def _keep_roster(self) -> None:
        seen = []
        for number, name in enumerate(self.names):
            state, age = "up", self.dice.uniform(0.1, 4.9)
            if number % 251 == 7:
                state, age = "down", self.dice.uniform(60, 9000)
            elif number % 499 == 11:
                state, age = "stopped", 3000.0
            lasted = self.dice.uniform(3600, 40 * 86400) if state == "up" else age
            address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255 or 1}"
            up = round(self.dice.uniform(86400, 200 * 86400))
            seen.append(Seen(name, state, age, lasted, f"{number:08x}", "1.0", address, up, 0, ""))
        (self.state / ROSTER).write_bytes(json.encode(Snapshot(time.time(), "north", seen)))

    def _keep_poll(self) -> None:
        folder, now = self.state / "polls", time.time()
        folder.mkdir()
        targets = {}
        for number in range(60):
            failing = number in (7, 31)
            version = ("2.4.1", "2.4.0", "2.3.9")[min(2, number // 24)]
            application = "shop" if number % 3 else "auth"
            reason = "connect" if failing else ""
            since = now - 300 if failing else 0.0
            targets[f"10.9.0.{number + 1}"] = Target(
                "xxx" if failing else "...", failing, application, version, reason, since
            )
        rounds = []
        for number in range(100):
            bad = 14 if number in (40, 41) else 2 if number > 88 else self.dice.choice((0, 0, 0, 1))
            doubt = "this server stood still for 2.1 s while targets had 5 s" if number == 62 else ""
            rounds.append(
                Summary(now - (100 - number) * 30, 0.31, 60, 60 - bad, bad, {"connect": bad} if bad else {}, doubt)
            )
        (folder / "shop.json").write_bytes(json.encode(Kept(targets, rounds)))

    def _keep_sweep(self) -> None:
        folder, now = self.state / "sweeps", time.time()
        folder.mkdir()
        targets, hosts = {}, {}
        for number in range(5):
            name, bad = f"10.9.0.{number + 1}", number == 3
            targets[name] = Target("xxx" if bad else "...", bad, "", "", "authentication" if bad else "", now - 900)
            hosts[name] = Last(self.dice.uniform(3600, 90 * 86400), f"{number:08x}", now - (7200 if bad else 30))
        rounds = [
            Summary(
                now - (40 - number) * 300, 1.4, 5, 5 - (number > 36), 1, {"authentication": 1} if number > 36 else {}
            )
            for number in range(40)
        ]
        (folder / "racks.json").write_bytes(json.encode(SweepKept(Kept(targets, rounds), hosts)))

    def event(
        self, host: str, kind: str, severity: Severity, text: str, at: float, check: str = "", **fields: Any
    ) -> Event:
        """One of a host, with its number."""
        number = self.numbers[host] = self.numbers.get(host, 0) + 1
        when = datetime.fromtimestamp(at, UTC)
        known = f"{host}/{SEED:016x}/{number}"
        return Event(when, severity, host, kind, check, text, fields, (), when, known)

    def past(self, now: float) -> Iterator[Event]:
        """A sample of each check, and what is bad, in the order in which it happened."""
        yield from self._metrics(now)
        yield from sorted(self._troubles(now), key=lambda event: str(event.time))

    def _metrics(self, now: float) -> Iterator[Event]:
        for name in self.names:
            for check in CHECKS:
                value = round(self.dice.uniform(1, 60), 2)
                yield self.event(name, "metric", "info", f"{check} {value}", now - 60, check, **{check: value})

    def _troubles(self, now: float) -> Iterator[Event]:
        for number, name in enumerate(self.names):
            if number % 251 == 7:
                text = f"{name} is down: silent for 18s"
                yield self.event(name, "host_down", "critical", text, now - 900, reason="silent", seconds=18.2)
            if number % 23 == 5:
                check, severity, text = TROUBLE[number // 23 % len(TROUBLE)]
                at = now - self.dice.uniform(30, 20_000)
                yield self.event(name, "check_state", severity, text, at, check, state=severity, was="ok", value=94.1)
        first = self.names[0]
        yield self.event(
            first, "plan_in_force", "info", "plan 5f1c0e77 in force: 3 checks", now - 400, digest="5f1c0e77"
        )
        yield self.event(first, "log_line", "warning", "error: disk on fire", now - 120, "syslog errors")
        yield self.event(first, "reported", "warning", HOSTILE, now - 90, "hostile")

    def turn(self, count: int) -> Iterator[Event]:
        """Events as they come on a busy day: checks that turn bad and well, lines of logs."""
        now = time.time()
        for _ in range(count):
            name = self.dice.choice(self.names)
            check, severity, text = self.dice.choice(TROUBLE)
            if self.dice.random() < 0.5:
                yield self.event(name, "check_state", "info", f"{check} is well", now, check, state="ok", was=severity)
            else:
                yield self.event(name, "check_state", severity, text, now, check, state=severity, was="ok")

    def samples(self, now: float) -> Iterator[Sample]:
        """A day of the first hosts, as curves."""
        for number, name in enumerate(self.names[:12]):
            for place, label in enumerate(LABELS):
                for age in (*range(86400, 3600, -600), *range(3600, 0, -20)):
                    at = now - age
                    day = sin((at % 86400) / 86400 * 2 * pi - 2 + number / 4)
                    hour = sin(at / (300 + 90 * place))
                    yield Sample(name, label, max(0.0, 35 + 22 * day + 8 * hour + self.dice.gauss(0, 3)), at)

    def hear(self, roster: Roster, now: float) -> None:
        """What the first hosts sent last, by monotonic time: they beat, and one of them joined just now."""
        for number, name in enumerate(self.names[:12]):
            ring, at = roster.datagrams(name), now - self.dice.uniform(0.1, 4.9)
            for place in range(len(ring)):
                kind, size = (wire.EVENTS, self.dice.randrange(200, 900)) if place % 5 == 3 else (wire.BEAT, 153)
                ring[-place] = at - 5 * place, kind, size, (f"10.0.0.{number or 1}", 40_000 + number)
            if number == 5:
                ring[1] = at - 5 * (len(ring) - 1), wire.HELLO, wire.HELLO_SIZE, (f"10.0.0.{number}", 40_000 + number)


def main() -> None:
    """Serve until the input ends."""
    from twisted.internet import reactor, stdio
    from twisted.protocols.basic import LineReceiver

    given: Any = reactor
    folder, hosts = Path(sys.argv[1]), int(sys.argv[2])
    fleet = Fleet(folder, hosts)
    monitor = make_service(fleet.settings, given)
    event_log = monitor.getServiceNamed("event log")
    # It states what it is told to, and nothing of how busy this machine is: whoever looks at it counts events.
    silent = {name: limit._replace(begins=inf) for name, limit in LIMITS.items()}
    monitor.getServiceNamed("health").troubles = Troubles(silent)

    def state(events: Iterator[Event], done: Any) -> None:
        batch = [event for event, _ in zip(events, range(AT_ONCE), strict=False)]
        if not batch:
            done()
            return
        event_log.append(batch).addCallback(lambda _: given.callLater(0, state, events, done))

    def ready() -> None:
        rollups, now = monitor.getServiceNamed("rollups"), time.time()
        rollups.take(list(fleet.samples(now)), now)
        fleet.hear(monitor.getServiceNamed("agents").protocol._roster, time.monotonic())
        link("admin" if "--admin" in sys.argv else "read")

    def link(scope: str) -> None:
        secret = secrets.token_urlsafe(32)
        Links(fleet.state / LINKS).make(secret, "ann", (scope,), time.time())
        door = monitor.getServiceNamed("http")
        print(f"http://{door.address}:{door.port}/#/link/{secret}", flush=True)

    class Commands(LineReceiver):
        delimiter = os.linesep.encode()

        def lineReceived(self, line: bytes) -> None:
            command, *words = line.decode().split()
            if command == "turn":
                state(fleet.turn(int(words[0])), lambda: print("done", flush=True))
            elif command == "link":
                link(words[0])

        def connectionLost(self, reason: Any = None) -> None:
            if given.running:
                given.stop()

    def begin() -> None:
        monitor.startService()
        stdio.StandardIO(Commands())
        state(fleet.past(time.time()), ready)

    given.callWhenRunning(begin)
    given.addSystemEventTrigger("before", "shutdown", monitor.stopService)
    given.run()


if __name__ == "__main__":
    main()
