"""Where the numbers of the exposition come from. Each source gives families by name, each with its samples.

A source is asked in turns with other work between, so what may change meanwhile is copied first.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import psutil

from monitor436 import __version__
from monitor436.model.event import KINDS, Event
from monitor436.model.fleet.polls import Kept
from monitor436.model.hosts.host import DOWN, LATE, STOPPED, UNKNOWN, UP, Host
from monitor436.model.metrics.exposition import Sample
from monitor436.model.server.crowd import Crowd
from monitor436.model.status.board import Board
from monitor436.model.status.change import RANKS
from monitor436.model.status.latest import Latest
from monitor436.model.status.worst import worst
from monitor436.model.sweep.sweeps import SweepKept
from monitor436.web.measures import Measures

FRESH = 300.0  # seconds: an older value of a metric is no value of now
LASTING = 86_400.0  # seconds: what a check measured may be older, as some are made once a day
STATES = (UP, LATE, DOWN, STOPPED, UNKNOWN)
OTHER = "other"  # a kind that is not known here: a host may state any number of them

Source = Callable[[], Iterator[tuple[str, Iterable[Sample]]]]


class Roster(Protocol):
    """Who is known."""

    def names(self) -> Sequence[str]:
        """Every host."""

    def get(self, name: str, /) -> Host | None:
        """What is known of a host."""


class Value(Protocol):
    """The newest value of a label; `at` is epoch seconds."""

    @property
    def host(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def at(self) -> float: ...


class EventCounts:
    """How many events became durable, by kind and severity."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        self._counts.update([(event.kind if event.kind in KINDS else OTHER, event.severity) for event in events])

    def source(self) -> Iterator[tuple[str, Iterable[Sample]]]:
        """One family."""
        yield "events_total", sorted(self._counts.items())


def hosts(roster: Roster, monotonic: Callable[[], float]) -> Source:
    """Every host that is known."""

    def source() -> Iterator[tuple[str, Iterable[Sample]]]:
        known = [host for name in roster.names() if (host := roster.get(name)) is not None]
        counts, now = Counter(host.state for host in known), monotonic()
        heard = [host for host in known if host.heard]
        yield "hosts", [((state,), counts[state]) for state in STATES]
        yield "host_up", (((host.name,), int(host.state in (UP, STOPPED))) for host in known)
        yield "host_state", (((host.name, host.state), 1) for host in known)
        yield "host_last_seen_age_seconds", (((host.name,), round(max(0.0, now - host.last), 3)) for host in heard)
        yield "host_spool_bytes", (((host.name,), host.fill) for host in heard)
        yield "host_uptime_seconds", (((host.name,), host.up) for host in heard if host.up)

    return source


def checks(board: Board, latest: Latest, roster: Roster, wall: Callable[[], float]) -> Source:
    """Checks of hosts that are known; what one measured counts while its host is up, and for a day at most."""

    def states() -> Iterator[Sample]:
        for name, host in list(board.standings.hosts.items()):
            if roster.get(name) is not None:
                for check, parts in list(host.checks.items()):
                    if check:
                        yield (name, check), RANKS[bad.severity] if (bad := worst(parts)) else 0

    def values() -> Iterator[Sample]:
        oldest = wall() - LASTING
        for name in latest.hosts():
            known = roster.get(name)
            if known is not None and known.state in (UP, LATE):
                for check, numbers in latest.measured(name):
                    if numbers.at > oldest:
                        for label, value in numbers.values.items():
                            yield (name, check, label), value

    def source() -> Iterator[tuple[str, Iterable[Sample]]]:
        yield "check_state", states()
        yield "check_value", values()

    return source


def metrics(latest: Callable[[], Iterable[Value]], counts: Mapping[str, int], wall: Callable[[], float]) -> Source:
    """The newest values of what was posted and measured; what is older than five minutes is left out."""

    def source() -> Iterator[tuple[str, Iterable[Sample]]]:
        now = wall()
        values = [((each.host, each.label), each.value) for each in latest() if each.at > now - FRESH]
        yield "metric", values
        yield "samples_total", [((fate,), count) for fate, count in sorted(counts.items())]

    return source


def polls(known: Callable[[], Mapping[str, Kept]]) -> Source:
    """The last round of each poll."""
    return _rounds("poll", "targets", "targets_well", known)


def sweeps(known: Callable[[], Mapping[str, SweepKept]]) -> Source:
    """The last round of each sweep."""
    return _rounds("sweep", "hosts", "hosts_answered", lambda: {name: kept.polled for name, kept in known().items()})


def _rounds(word: str, asked: str, well: str, known: Callable[[], Mapping[str, Kept]]) -> Source:
    def source() -> Iterator[tuple[str, Iterable[Sample]]]:
        rounds = [((name,), kept, kept.rounds[-1]) for name, kept in sorted(known().items()) if kept.rounds]
        yield f"{word}_{asked}", [(name, last.targets) for name, _, last in rounds]
        yield f"{word}_{well}", [(name, last.well) for name, _, last in rounds]
        yield f"{word}_{asked}_failing", [(name, last.failing) for name, _, last in rounds]
        yield f"{word}_round_seconds", [(name, last.seconds) for name, _, last in rounds]
        yield f"{word}_round_timestamp_seconds", [(name, last.at) for name, _, last in rounds]
        yield f"{word}_trusted", [(name, int(not kept.untrusted)) for name, kept, _ in rounds]

    return source


class Server(Protocol):
    """What a server counts and measures of itself, as services/health has it."""

    @property
    def lag(self) -> "Lag": ...
    @property
    def syncs(self) -> "Syncs": ...
    @property
    def drops(self) -> Callable[[], int]: ...
    @property
    def refused(self) -> Mapping[str, int]: ...
    @property
    def heard(self) -> Mapping[str, int]: ...
    @property
    def crowd(self) -> Crowd: ...


class Lag(Protocol):
    """How late it is."""

    def p99(self) -> float:
        """Seconds that 99 of 100 do not exceed."""


class Syncs(Protocol):
    """How long the disk takes."""

    count: int
    total: float


def server(gauges: Server, degraded: Mapping[str, Callable[[], str]]) -> Source:
    """The server itself; `degraded` has its parts that say why they cannot keep what they are to keep."""
    process = psutil.Process()
    drops_before = gauges.drops()

    def source() -> Iterator[tuple[str, Iterable[Sample]]]:
        yield "build_info", [((__version__,), 1)]
        yield "datagrams_total", [((kind,), count) for kind, count in sorted(gauges.heard.items())]
        yield "datagrams_refused_total", [((reason,), count) for reason, count in sorted(gauges.refused.items())]
        yield "datagrams_dropped_total", [((), max(0, gauges.drops() - drops_before))]
        yield "door_connections", [((), gauges.crowd.now)]
        crowd = gauges.crowd
        ended = ("refused", crowd.refused), ("timed_out", crowd.late), ("displaced", crowd.displaced)
        yield "door_connections_ended_total", [((fate,), count) for fate, count in ended]
        yield "lag_seconds", [((), round(gauges.lag.p99(), 6))]
        yield "syncs_total", [((), gauges.syncs.count)]
        yield "sync_seconds_total", [((), round(gauges.syncs.total, 6))]
        yield "degraded", [((part,), int(bool(why()))) for part, why in degraded.items()]
        times = os.times()
        yield "process_cpu_seconds_total", [((), round(times.user + times.system, 3))]
        yield "process_resident_memory_bytes", [((), process.memory_info().rss)]
        yield "process_open_fds", [((), process.num_fds())]
        yield "process_start_time_seconds", [((), round(process.create_time(), 3))]

    return source


def http(measures: Measures) -> Source:
    """The routes of the HTTP door, and its connections."""

    def source() -> Iterator[tuple[str, Iterable[Sample]]]:
        every = sorted(measures, key=lambda each: (each.path, each.method))
        statuses = [
            ((each.method, each.path, status), count)
            for each in every
            for status, count in each.statuses.items()
            if count
        ]
        yield "http_requests_total", statuses
        yield "http_request_seconds_total", [((each.method, each.path), round(each.seconds, 6)) for each in every]
        yield "http_received_bytes_total", [((each.method, each.path), each.received) for each in every]
        yield "http_sent_bytes_total", [((each.method, each.path), each.sent) for each in every]
        now = measures.connections()
        yield "http_connections", [((), now.now)]
        fates = ("refused", now.refused), ("timed_out", now.timed_out), ("left", now.left)
        yield "http_connections_ended_total", [((fate,), count) for fate, count in fates]

    return source
