"""An edited plan, until it is in force on a fleet: the reset over UDP, the fetch over TLS, the heartbeat that says so.

Hosts are simulated, a few processes for all of them; what they send and what they ask for is the agent's own code.
"""

import argparse
import random
import select
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from apart import Apart
from fleet import Greeted, greeted, opened
from server import HERE, PLAN, serve, settings
from table import show, verdict

from monitor436.agent import plan, wire
from monitor436.agent.link import door
from monitor436.agent.link.fetch import turn_of
from monitor436.site import Site

BEAT = 5.0  # seconds
DOORS = 16  # requests of one process at once: on a network each host has a processor of its own
SETTLE = 8.0  # seconds after the last greeting, in which all have fetched the first plan
WATCHED = 15.0  # seconds after the edit
TICK = 0.005  # seconds


class Host:
    """One simulated host: its session, its key, and since when it has which plan in force."""

    def __init__(self, name: str, greeted: Greeted, phase: float) -> None:
        self.name = name
        self.serial, self.key, self.session, _ = greeted
        self.beat_at = phase
        self.fetch_at = float("inf")
        self.fetching = False
        self.wanted = ""
        self.digest = ""
        self.told: dict[str, tuple[float, bool]] = {}  # when it learnt of a plan, and whether by a heartbeat
        self.since: dict[str, float] = {}


class Fleet:
    """The hosts of one process. `loss` is the part of all resets that does not arrive."""

    def __init__(self, server: tuple[str, int], folder: str, numbers: range, loss: float) -> None:
        self._server = server
        self._loss = loss
        self._dice = random.Random(numbers.start)
        site = Site(Path(folder, "site"))
        self._pin = site.pin
        self._socket = opened()
        now = time.monotonic()
        self.hosts = []
        for number in numbers:
            name = f"host{number:05}"
            made = greeted(self._socket, server, site.key, name)
            self._door = int(str(made.message["door"]))
            self.hosts.append(Host(name, made, now + self._dice.uniform(0.0, BEAT)))
        self._by_session = {host.session.id: host for host in self.hosts}
        self._pool = ThreadPoolExecutor(DOORS)
        self.fetched = 0
        self.resets = self.lost = 0

    def run(self, until: float) -> None:
        """Beat, listen and fetch until a time."""
        now = time.monotonic()
        while now < until:
            for host in self.hosts:
                if now >= host.beat_at:
                    self._beat(host)
                    host.beat_at += BEAT
                if now >= host.fetch_at and not host.fetching:
                    host.fetching = True
                    self._pool.submit(self.fetch, host)
            select.select([self._socket], [], [], TICK)
            now = time.monotonic()
            self._take(now)

    def _beat(self, host: Host) -> None:
        body = wire.dump({"up": 1, "fill": 0, "plan": host.digest})
        self._socket.sendto(host.session.seal(wire.BEAT, body), self._server)

    def _take(self, now: float) -> None:
        while select.select([self._socket], [], [], 0)[0]:
            datagram = self._socket.recv(2048)
            header = wire.header(datagram)
            host = self._by_session.get(header[2])
            if host is None:
                continue
            message = wire.parse(host.session.open(datagram, header[3]))
            if header[0] == wire.RESET:
                self.resets += 1
                if self._dice.random() < self._loss:
                    self.lost += 1
                    continue
                self._socket.sendto(host.session.seal(wire.RESETACK, b"{}"), self._server)
                self._want(host, str(message["plan"]), now, float(str(message["within"])))
            elif header[0] == wire.BEATACK:
                self._want(host, str(message["plan"]), now)

    def _want(self, host: Host, digest: str, now: float, within: float | None = None) -> None:
        host.wanted = digest
        if digest not in ("", host.digest) and host.fetch_at == float("inf"):
            host.told[digest] = now, within is None
            host.fetch_at = now + turn_of(host.name, within)

    def fetch(self, host: Host) -> None:
        """What the child of a real agent does; in a thread."""
        authorized = door.authorization(host.name, host.serial, 0, host.key, self._pin, "/plan")
        again = time.monotonic() + 1.0
        try:
            status, body = door.request(HERE, self._door, self._pin, "GET", "/plan", authorized)
        except door.DoorError as problem:
            status, body = 0, str(problem).encode()
        digest = plan.digest(body)
        if status == 200 and digest == host.wanted:
            host.digest, host.since[digest], host.fetch_at = digest, time.monotonic(), float("inf")
            self._beat(host)
        else:
            host.fetch_at = again
        self.fetched += 1
        host.fetching = False


def run_fleet(pipe: Connection, server: tuple[str, int], folder: str, numbers: range, loss: float) -> None:
    """Greet and run until something comes through `pipe`; then tell of every host when it had which plan."""
    fleet = Fleet(server, folder, numbers, loss)
    pipe.send(len(fleet.hosts))
    while not pipe.poll():
        fleet.run(time.monotonic() + 0.1)
    told = [(host.told, host.since) for host in fleet.hosts]
    pipe.send((told, fleet.resets, fleet.lost, fleet.fetched))


def hammer(pipe: Connection, server: tuple[str, int], folder: str, first: int, seconds: float) -> None:
    """Fetch one plan after the other, through as many doors as there are threads."""
    fleet = Fleet(server, folder, range(first, first + DOORS), 0.0)
    pipe.send(None)
    end = time.monotonic() + seconds

    def fetch(host: Host) -> None:
        while time.monotonic() < end:
            fleet.fetch(host)

    threads = [threading.Thread(target=fetch, args=(host,)) for host in fleet.hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.recv()
    pipe.send(fleet.fetched / seconds)


class Change(NamedTuple):
    """How one edit went: seconds until in force on the first host, on half, on 95 %, on all, and what it cost: CPU
    seconds of the server, and of the processes that are the hosts."""

    first: float
    half: float
    most: float
    last: float
    by_beat: int
    resets: int
    lost: int
    cpu: float
    theirs: float


def change(hosts: int, processes: int, loss: float) -> Change:
    """Edit the plan of all hosts once."""
    with tempfile.TemporaryDirectory() as folder:
        made = settings(Path(folder))
        served = Apart(serve, made)
        server = HERE, served.ready
        size = hosts // processes
        parts = [range(number * size, (number + 1) * size) for number in range(processes)]
        fleets = [Apart(run_fleet, server, folder, part, loss) for part in parts]
        time.sleep(SETTLE)
        before, theirs = served.cpu(), sum(fleet.cpu() for fleet in fleets)
        edited = time.monotonic()
        Path(made.plans.folder, "all.yaml").write_text(PLAN.replace("85", "86"))
        time.sleep(WATCHED)
        cpu, theirs = served.cpu() - before, sum(fleet.cpu() for fleet in fleets) - theirs
        results = [fleet.finish() for fleet in fleets]
        served.finish()
    since, by_beat = [], 0
    for told, _, _, _ in results:
        for learnt, in_force in told:
            late = [digest for digest, at in in_force.items() if at > edited]
            since += [in_force[digest] - edited for digest in late]
            by_beat += sum(learnt[digest][1] for digest in late)
    if len(since) != size * processes:
        raise SystemExit(f"{len(since)} of {size * processes} hosts follow the edited plan")
    resets, lost = (sum(result[at] for result in results) for at in (1, 2))
    since.sort()
    at = partial(quantile, since)
    return Change(since[0], at(0.5), at(0.95), since[-1], by_beat, resets, lost, cpu, theirs)


def quantile(values: list[float], part: float) -> float:
    """The value that this part of the sorted values does not exceed."""
    return values[min(len(values) - 1, int(len(values) * part))]


def door_rate(seconds: float, processes: int) -> tuple[float, float]:
    """Plans a second that the door serves when nobody waits, and CPU seconds of the server for each."""
    with tempfile.TemporaryDirectory() as folder:
        served = Apart(serve, settings(Path(folder)))
        hammers = [Apart(hammer, (HERE, served.ready), folder, number * DOORS, seconds) for number in range(processes)]
        before = served.cpu()
        rate = sum(each.finish() for each in hammers)
        cpu = served.cpu() - before
        served.finish()
    return rate, cpu / (rate * seconds)


def main(argv: Sequence[str] | None = None) -> None:
    """Run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2, help="in which hosts are simulated")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)
    rate, cost = door_rate(5.0, given.processes)
    rows, worst = [], {}
    for loss in (0.0, 0.5):
        rounds = [change(given.hosts, given.processes, loss) for _ in range(given.rounds)]
        middle = Change(*(statistics.median(values) for values in zip(*rounds, strict=True)))  # type: ignore[arg-type]
        worst[loss] = max(each.most for each in rounds), max(each.last for each in rounds)
        seconds = [f"{value:.1f}" for value in middle[:4]]
        costs = [f"{each / given.hosts * 1000:.1f}" for each in (middle.cpu, middle.theirs)]
        rows.append([f"{loss:.0%} of resets lost", *seconds, f"{middle.by_beat:,.0f}", *costs])
    columns = ["s from the edit", "first", "half", "95 %", "all", "told by a beat", "server CPU ms a host", "its own"]
    show(f"{given.hosts:,} hosts, median of {given.rounds} rounds", columns, rows)
    print(f"\n- the door alone: {rate:,.0f} plans a second, {cost * 1000:.2f} ms of the server's CPU each")
    print("- " + verdict("s until in force on 95 %, worst round", worst[0.0][0], 5.0))
    print("- " + verdict("s until in force on all, half of the resets lost, worst round", worst[0.5][1], 2 * BEAT))


if __name__ == "__main__":
    main()
