"""Every host that is known, and which have gone quiet. Pure: callers say what time it is, in monotonic seconds."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from monitor436.model.event import Event
from monitor436.model.hosts import news
from monitor436.model.hosts.census import Census
from monitor436.model.hosts.datagrams import Ring, ring
from monitor436.model.hosts.host import LATE, NEVER_SEEN, SAME, STOPPED, UNKNOWN, UP, Host, Seen
from monitor436.model.hosts.twins import Speaker, Twins
from monitor436.model.hosts.verdicts import PING_EVERY, Expired, Verdicts
from monitor436.model.settings.hosts import Heartbeat

NOTHING: Sequence[Event] = ()


class Roster:
    """Every host ever heard or planned for.

    `late(name)` gives the seconds of silence after which a host is late. A beat costs O(1), a look at who is silent
    O(those who are).
    """

    def __init__(self, late: Callable[[str], float], patience: Heartbeat | None = None) -> None:
        patience = patience or Heartbeat()
        self._late = late
        self._census = Census()
        self._hosts = self._census.hosts
        self._expected: set[str] | None = None  # the hosts that plans name; None until plans are read
        self._twins = Twins()
        self._verdicts = Verdicts(self._census, patience)
        self._unknown_after = patience.unknown_after

    def __len__(self) -> int:
        return len(self._hosts)

    @property
    def changes(self) -> int:
        """How often a host appeared or changed its state: tells a keeper of copies that his is old."""
        return self._census.changes

    def get(self, name: str) -> Host | None:
        """What is known of a host."""
        return self._hosts.get(name)

    # What hosts do.

    def heard(self, name: str, now: float) -> Sequence[Event]:
        """Something authentic came from a host."""
        host = self._hosts.get(name)
        if host is None or host.queue is None:
            return self._appear(name, now)
        host.last = now
        host.queue.move_to_end(name)
        return NOTHING

    def beat(self, name: str, now: float, up: int, fill: int, plan: str) -> Sequence[Event]:
        """A heartbeat: seconds since boot, bytes in the spool, the plan in force."""
        told = NOTHING
        host = self._hosts.get(name)
        if host is None or host.queue is None:
            told = self._appear(name, now)
            host = self._hosts[name]
        else:
            host.last = now
            host.queue.move_to_end(name)
        host.up, host.fill, host.plan = up, fill, plan
        if host.former and plan != host.former_plan:
            host.former = 0.0
            self._census.queue(host)
        return told

    def knocked(self, name: str, now: float) -> None:
        """A greeting of a host came. It may be a replay, so it is no sign of life; but a verdict waits for more."""
        host = self._hosts.get(name)
        if host is not None:
            host.knocked = now

    def greeted(self, name: str, boot: str, version: str, address: str, agent: str = "") -> list[Event]:
        """A host that was just heard had told, in its greeting, which boot of the machine this is, and which agent.

        `agent` is the spool that the agent began with, if it has one.
        """
        host = self._hosts[name]
        before = Speaker(host.boot, host.agent, host.address)
        speaker = Speaker(boot or host.boot, agent or host.agent, address)
        host.boot, host.agent, host.address = speaker
        host.version = version
        same = before.boot in ("", speaker.boot) and before.agent in ("", speaker.agent)
        follows = "" if same else self._twins.replaced(name, before, speaker, host.last)
        if follows == "twins":
            return [news.twice(name, sorted({before.address, address}))]
        return self._verdicts.rebooted(host, host.last) if follows else []

    def spools_of_others(self, name: str) -> list[str] | None:
        """Spools of agents that may speak under this name too, by what is known so far; None if that means any."""
        return None if name in self._twins else list(self._twins.agents(name))

    def datagrams(self, name: str) -> Ring:
        """Where it is kept which datagrams of a host, which was heard, came last."""
        host = self._hosts[name]
        if host.datagrams is None:
            host.datagrams = ring()
        return host.datagrams

    def stopped(self, name: str, now: float) -> list[Event]:
        """An agent said goodbye."""
        host = self._hosts.get(name)
        return [] if host is None or host.state == STOPPED else self._verdicts.stopped(host, now)

    def _appear(self, name: str, now: float) -> list[Event]:
        host = self._hosts.get(name)
        if host is None or not host.heard:
            self._census.add(Host(name, UP, now, now, self._late(name)))
            return [news.found(name)]
        was, quiet = host.state, now - host.last
        host.last = now
        self._census.turn(host, UP, now)
        return self._verdicts.back(host, was, quiet, now)

    # What operators want.

    def follow(self, patience: Heartbeat) -> None:
        """Other settings, from now on."""
        self._unknown_after = patience.unknown_after
        self._verdicts.follow(patience)

    def expect(self, names: Iterable[str], now: float) -> None:
        """These hosts, and no others, have plans of their own: they are waited for, if they were never heard."""
        self._expected = set(names)
        for name in [host.name for host in self._hosts.values() if not host.heard]:
            if name not in self._expected:
                self.forget(name)
        for name in sorted(self._expected):
            if name not in self._hosts:
                waited_for = Host(name, UNKNOWN, now, now, self._unknown_after, heard=False)
                self._census.add(waited_for)
                self._census.look(waited_for, waited_for.due)

    def retime(self) -> None:
        """Plans or settings changed: ask anew how long each host may be silent."""
        for host in sorted(self._hosts.values(), key=lambda host: host.last):
            if host.state != UNKNOWN:
                host.allow(self._late(host.name))
                self._census.queue(host)

    def forget(self, name: str) -> None:
        """A host is none of ours any more; one that still beats is found again."""
        self._census.remove(name)
        self._verdicts.forget(name)
        self._twins.forget(name)

    # What time does.

    def expire(self, now: float) -> Expired:
        """Look at the hosts whose deadline has passed."""
        expired = Expired([], [])
        late: list[Host] = []
        asked: list[Host] = []
        for host in self._census.quiet(now):
            if host.due <= now:
                late.append(host)
            elif host.deadline <= now:
                host.deadline = now + PING_EVERY
                expired.pings.append(host.name)
        for host in self._census.due(now):
            if host.state == LATE:
                asked.append(host)
            elif host.state == UNKNOWN and host.due <= now:
                self._verdicts.down(host, NEVER_SEEN, expired, now)
            elif host.state == UNKNOWN:
                self._census.look(host, host.due)
        if late:
            self._verdicts.late(late, expired, now)
        for host in asked:
            self._verdicts.decide(host, expired, now)
        expired.events.extend(self._verdicts.rejoined(now))
        expired.events.extend(self._verdicts.steady(now))
        return expired

    def excuse(self, gap: float) -> None:
        """This server itself did not listen for `gap` seconds: nobody's silence counts for that long."""
        for host in self._hosts.values():
            if host.state in (UP, LATE, UNKNOWN):
                host.grace = host.due + gap
            if host.state == LATE:
                self._census.look(host, host.deadline + gap)
        self._verdicts.excuse(gap)

    def restless(self, name: str) -> bool:
        """Whether a host flaps, or two machines speak under its name."""
        return name in self._verdicts.flapping or name in self._twins

    def spools(self) -> Iterator[tuple[str, int]]:
        """The hosts in whose spools something waits, and how many bytes."""
        return ((host.name, host.fill) for host in self._hosts.values() if host.fill)

    # What is kept.

    def names(self) -> list[str]:
        """Every host, in no order."""
        return list(self._hosts)

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Every host that was heard, and from where last."""
        return ((host.name, host.address) for host in self._hosts.values() if host.address)

    def seen(self, now: float, names: Iterable[str] | None = None) -> list[Seen]:
        """How hosts are: those of `names` that are there, or all, by name. What came after `now` has the age 0."""
        wanted = sorted(self._hosts) if names is None else names
        return [self._seen(self._hosts[name], now) for name in wanted if name in self._hosts]

    def restore(self, hosts: Iterable[Seen], now: float, away: float = 0.0) -> None:
        """What a run before this one knew, `away` seconds ago as far as a clock can tell, which decides nothing.

        Who was up or late gets the whole time-out to be heard again.
        """
        turns = []
        for seen in hosts:
            if not seen.heard and self._expected is not None and seen.name not in self._expected:
                continue
            state = UP if seen.state == LATE else seen.state
            late = self._unknown_after if state == UNKNOWN else self._late(seen.name)
            last = now - seen.age - (0.0 if state == UNKNOWN else away)
            grace = now + min(late, self._late(seen.name))
            same = {name: getattr(seen, name) for name in SAME if name != "state"}
            host = Host(state=state, last=last, since=now - seen.lasted - away, late=late, grace=grace, **same)
            self._census.add(host)
            if state == UNKNOWN:
                self._census.look(host, host.due)
            if seen.turns:
                turns.append((seen.name, seen.flapping, seen.turns))
            if seen.twins:
                self._twins.restore(seen.name, now)
        self._verdicts.flapping.restore(turns, now)

    def _seen(self, host: Host, now: float) -> Seen:
        same = {name: getattr(host, name) for name in SAME}
        flapping, turns = self._verdicts.flapping.kept(host.name, now)
        twins = host.name in self._twins
        age, lasted = round(max(0.0, now - host.last), 1), round(max(0.0, now - host.since), 1)
        return Seen(age=age, lasted=lasted, flapping=flapping, turns=turns, twins=twins, **same)
