"""The hosts, by name, with how many are in each state and which are to be looked at next. Pure."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from heapq import heappop, heappush

from monitor436.model.hosts.host import UP, Host

TAKEN = float("inf")


class Census:
    """Every host that is known.

    Those that are up stand in queues, one for each time-out, in the order in which they were last heard: whoever has
    been silent longest is at the front, so that finding the silent ones costs nothing for the others. Those in another
    state are looked at when somebody said so.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.states: Counter[str] = Counter()
        self.changes = 0  # how often a host appeared or changed its state: tells a keeper of copies that his is old
        self._queues: dict[float, OrderedDict[str, Host]] = {}
        self._deadlines: list[tuple[float, str]] = []  # entries that are not a host's own deadline are stale

    def add(self, host: Host) -> None:
        """A host that was not known, or not heard."""
        self.remove(host.name)
        self.hosts[host.name] = host
        self.states[host.state] += 1
        self.changes += 1
        self.queue(host)

    def remove(self, name: str) -> None:
        """A host is none of ours any more."""
        host = self.hosts.pop(name, None)
        if host is not None:
            self.states[host.state] -= 1
            self.changes += 1
            self._leave(host)

    def turn(self, host: Host, state: str, now: float) -> None:
        """A host is in another state from now on. One that is up was just heard."""
        self.states[host.state] -= 1
        self.states[state] += 1
        self.changes += 1
        host.state = state
        host.since = now
        host.deadline = 0.0
        self.queue(host)

    def queue(self, host: Host) -> None:
        """A host, which was just heard, belongs to the queue of its time-out; one that is not up to none."""
        self._leave(host)
        if host.state == UP:
            host.queue = self._queues.setdefault(host.allowed, OrderedDict())
            host.queue[host.name] = host

    def look(self, host: Host, at: float) -> None:
        """Look at a host that is not up next at that time, and not when it was to be before."""
        host.deadline = at
        heappush(self._deadlines, (at, host.name))

    def due(self, now: float) -> Iterator[Host]:
        """The hosts that are to be looked at by now; whoever takes one says when it is to be looked at again."""
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, name = heappop(self._deadlines)
            host = self.hosts.get(name)
            if host is not None and deadline == host.deadline and host.state != UP:
                host.deadline = TAKEN  # an entry may be there twice
                yield host

    def quiet(self, now: float) -> list[Host]:
        """The hosts that are up and have been quiet for some time."""
        found = []
        for queue in self._queues.values():
            for host in queue.values():
                if host.quiet > now:
                    break
                found.append(host)
        return found

    def _leave(self, host: Host) -> None:
        if host.queue is not None:
            del host.queue[host.name]
            if not host.queue:
                self._queues = {late: queue for late, queue in self._queues.items() if queue}
            host.queue = None
