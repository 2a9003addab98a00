"""Every host that is known, and which have gone quiet. Pure: callers say what time it is, in monotonic seconds."""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from msgspec import Struct

from monitor436.model import event as kinds
from monitor436.model.event import Event, Severity
from monitor436.model.words import span

UP, LATE, DOWN, STOPPED, UNKNOWN = "up", "late", "down", "stopped", "unknown"
PING_EVERY = 1.0  # seconds between the questions before a verdict
NOTHING: Sequence[Event] = ()


class Host(Struct):
    """What is known of one host. Times are monotonic seconds of this server."""

    name: str
    state: str
    last: float  # when it was last heard, or since when it is waited for
    since: float  # when the present state began
    late: float  # seconds of silence after which it is late
    boot: str = ""
    version: str = ""
    address: str = ""
    up: int = 0  # its own seconds since boot
    fill: int = 0  # bytes in its spool
    plan: str = ""  # digest of the plan in force on it
    heard: bool = True  # ever; False for one that is only waited for
    asked: int = 0  # pings sent since it is late
    deadline: float = 0.0  # when it is looked at next


class Seen(Struct, frozen=True):
    """A host as it is shown and kept: ages in seconds instead of times."""

    name: str
    state: str
    age: float  # seconds since it was last heard
    lasted: float  # seconds since the state began
    boot: str = ""
    version: str = ""
    address: str = ""
    up: int = 0
    fill: int = 0
    plan: str = ""
    heard: bool = True


_SAME = tuple(name for name in Seen.__struct_fields__ if name in Host.__struct_fields__)


class Expired(NamedTuple):
    """What follows from silence: events to state, hosts to ask whether they are there."""

    events: list[Event]
    pings: list[str]


class Roster:
    """Every host ever heard or planned for.

    `late(name)` gives the seconds of silence after which a host is late; `pings` is how often it is then asked before
    it is down; `unknown_after` how long a host that has a plan may stay unheard. A beat costs O(1); `expire` costs
    O(log n) for each host whose deadline passed, never a scan.
    """

    def __init__(self, late: Callable[[str], float], pings: int = 3, unknown_after: float = 120.0) -> None:
        self._late = late
        self._pings = pings
        self._unknown_after = unknown_after
        self._hosts: dict[str, Host] = {}
        self._deadlines: list[tuple[float, str]] = []  # entries that are not a host's own deadline are stale
        self.changes = 0  # how often a host appeared or changed its state: tells a keeper of copies that his is old

    def __len__(self) -> int:
        return len(self._hosts)

    def get(self, name: str) -> Host | None:
        """What is known of a host."""
        return self._hosts.get(name)

    def heard(self, name: str, now: float) -> Sequence[Event]:
        """Something authentic came from a host."""
        host = self._hosts.get(name)
        if host is None or host.state != UP:
            return self._appear(name, now)
        host.last = now
        return NOTHING

    def beat(self, name: str, now: float, up: int, fill: int, plan: str) -> Sequence[Event]:
        """A heartbeat: seconds since boot, bytes in the spool, the plan in force."""
        host = self._hosts.get(name)
        if host is None or host.state != UP:
            news: Sequence[Event] = self._appear(name, now)
            host = self._hosts[name]
        else:
            news = NOTHING
            host.last = now
        host.up, host.fill, host.plan = up, fill, plan
        return news

    def greeted(self, name: str, boot: str, version: str, address: str) -> list[Event]:
        """A host that was just heard had told, in its greeting, which boot of the machine this is, and which agent."""
        host = self._hosts[name]
        before, host.boot, host.version, host.address = host.boot, boot, version, address
        if before and boot and before != boot:
            return [Event(kind=kinds.HOST_REBOOTED, host=name, severity="warning", text=f"{name} was rebooted")]
        return []

    def stopped(self, name: str, now: float) -> list[Event]:
        """An agent said goodbye."""
        host = self._hosts.get(name)
        if host is None or host.state == STOPPED:
            return []
        self._turn(host, STOPPED, now)
        return [Event(kind=kinds.HOST_STOPPED, host=name, text=f"the agent on {name} was stopped")]

    def expect(self, names: Iterable[str], now: float) -> None:
        """These hosts have a plan of their own: they are waited for from now on."""
        for name in names:
            if name not in self._hosts:
                self._add(Host(name, UNKNOWN, now, now, self._unknown_after, heard=False))

    def expire(self, now: float) -> Expired:
        """Look at the hosts whose deadline has passed."""
        expired = Expired([], [])
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, name = heappop(self._deadlines)
            host = self._hosts[name]
            if deadline != host.deadline:
                continue
            if host.state == LATE and host.asked >= self._pings:
                expired.events.append(self._verdict(host, "silent", now))
            elif host.state == LATE:
                self._ask(host, expired, now)
            elif host.state in (UP, UNKNOWN) and host.last + host.late > now:
                self._look_at(host, host.last + host.late)
            elif host.state == UP:
                expired.events.append(self._is_late(host, now))
                self._ask(host, expired, now)
            elif host.state == UNKNOWN:
                expired.events.append(self._verdict(host, "never_seen", now))
        return expired

    def excuse(self, gap: float) -> None:
        """This server itself did not listen for `gap` seconds: nobody's silence counts for that long."""
        for host in self._hosts.values():
            host.last += gap

    def retime(self) -> None:
        """Plans or settings changed: ask anew how long each host may be silent."""
        for host in self._hosts.values():
            if host.state != UNKNOWN:
                host.late = self._late(host.name)
                if host.state == UP:
                    self._look_at(host, host.last + host.late)

    def seen(self, now: float) -> list[Seen]:
        """Every host, by name."""
        hosts = [self._hosts[name] for name in sorted(self._hosts)]
        return [
            Seen(
                age=round(now - h.last, 1), lasted=round(now - h.since, 1), **{name: getattr(h, name) for name in _SAME}
            )
            for h in hosts
        ]

    def restore(self, hosts: Iterable[Seen], now: float) -> None:
        """What a run before this one knew. Who was up or late gets the whole time-out to be heard again."""
        for seen in hosts:
            state = UP if seen.state == LATE else seen.state
            last = now if state == UP else now - seen.age
            late = self._unknown_after if state == UNKNOWN else self._late(seen.name)
            same = {name: getattr(seen, name) for name in _SAME if name != "state"}
            self._add(Host(state=state, last=last, since=now - seen.lasted, late=late, **same))

    def _add(self, host: Host) -> None:
        self._hosts[host.name] = host
        self.changes += 1
        self._look_at(host, host.last + host.late)

    def _look_at(self, host: Host, deadline: float) -> None:
        host.deadline = deadline
        heappush(self._deadlines, (deadline, host.name))

    def _appear(self, name: str, now: float) -> list[Event]:
        host = self._hosts.get(name)
        if host is None or not host.heard:
            self._add(Host(name, UP, now, now, self._late(name)))
            return [Event(kind=kinds.HOST_FOUND, host=name, text=f"{name} is heard for the first time")]
        was, quiet = host.state, now - host.last
        host.last = now
        self._turn(host, UP, now)
        self._look_at(host, now + host.late)
        fields: dict[str, kinds.Field] = {"was": was, "seconds": round(quiet, 1)}
        return [
            Event(kind=kinds.HOST_UP, host=name, text=f"{name} is up again after {span(quiet)} ({was})", fields=fields)
        ]

    def _is_late(self, host: Host, now: float) -> Event:
        self._turn(host, LATE, now)
        host.asked = 0
        return _silence(kinds.HOST_LATE, "warning", host, "late", f"{host.name} is late", now)

    def _ask(self, host: Host, expired: Expired, now: float) -> None:
        host.asked += 1
        expired.pings.append(host.name)
        self._look_at(host, now + PING_EVERY)

    def _verdict(self, host: Host, reason: str, now: float) -> Event:
        self._turn(host, DOWN, now)
        heard = "was never heard" if reason == "never_seen" else "is down"
        return _silence(kinds.HOST_DOWN, "critical", host, reason, f"{host.name} {heard}", now)

    def _turn(self, host: Host, state: str, now: float) -> None:
        host.state = state
        host.since = now
        self.changes += 1


def _silence(kind: str, severity: Severity, host: Host, reason: str, text: str, now: float) -> Event:
    quiet = now - host.last
    fields: dict[str, kinds.Field] = {"reason": reason, "seconds": round(quiet, 1)}
    return Event(kind=kind, host=host.name, severity=severity, text=f"{text}: silent for {span(quiet)}", fields=fields)
