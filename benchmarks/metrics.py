"""F7: metrics in over HTTP, by a fresh server and by one that is a day old; and what summaries cost by themselves.

Every host has a connection of its own that is kept, and posts again as soon as it has its answer. Server and clients
are on different CPUs.

    python benchmarks/metrics.py [--hosts 50] [--labels 2] [--seconds 4] [--every 20] [--only fresh,aged]

`--every 1` takes a sample of each series for every second of the simulated day: some minutes. Prometheus' Pushgateway
(Debian's prometheus-pushgateway) is left out where it is not installed.
"""

import argparse
import multiprocessing
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from apart import Apart, cpu_seconds, run_until_asked
from msgspec import structs
from server import HERE, serve, settings
from table import show, verdict

from monitor436.application import Monitor
from monitor436.model.metrics.rollup import Rollup, Sample
from monitor436.model.server.budget import budget
from monitor436.model.settings.http import Http
from monitor436.model.settings.metrics import Metrics

DAY, HOUR, MINUTE = 86400, 3600, 60
LIZMON = 367  # POST/s of its receiver with 50 hosts, fresh, on two cores of the same kind
AGED = 100, 10  # hosts and labels of the simulated day
STARTED = 10.0


class Rate(NamedTuple):
    """What a server took: posts a second, its CPU seconds for each, and the answers' times."""

    posts: float
    cpu: float
    p50: float
    p99: float


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise SystemExit("no VmRSS")


def quiet(pid: int) -> None:
    """Wait until a process has done what it had to."""
    before, now = 0.0, cpu_seconds(pid)
    while now - before > 0.02:
        time.sleep(1.0)
        before, now = now, cpu_seconds(pid)


def pinned(first: bool) -> None:
    """Keep this process on the first CPU, or on the last one."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[0] if first else cpus[-1]})


# the summaries by themselves


def day(every: int) -> tuple[float, float]:
    """Samples a second of CPU into fresh summaries and into those that are a day old."""
    pinned(True)
    hosts, labels = AGED
    names = [(f"host-{host:07}", f"label {label}") for host in range(hosts) for label in range(labels)]
    start = (int(time.time()) - 2 * DAY) // HOUR * HOUR
    rollup = Rollup(hosts, labels)

    def filled(first: int, last: int, step: int) -> float:
        """Take samples of a while; how many a second."""
        began, count = time.process_time(), 0
        for at in range(first, last, step):
            for host, label in names:
                rollup.take(Sample(host, label, at % 97 / 7, at), at, at // HOUR)
            count += len(names)
            if at % MINUTE == 0:
                rollup.changed(1 << 30)
                rollup.expire(at // HOUR - 25)
        return count / (time.process_time() - began)

    filled(start, start + 10, 1)
    fresh = filled(start + 10, start + 120, 1)
    filled(start + 120, start + DAY + HOUR, every)
    aged = filled(start + DAY + HOUR, start + DAY + HOUR + 120, 1)
    return fresh, aged


def simulated(pipe: Connection, every: int) -> None:
    """The same in a process of its own."""
    pipe.send("ready")
    pipe.recv()
    pinned(True)
    pipe.send(day(every))


# servers


def aged(monitor: Monitor) -> None:
    """A server that has had a day of metrics."""
    rollups, now = monitor.getServiceNamed("rollups"), int(time.time())
    times = [now - back for back in (*range(0, HOUR, MINUTE), *range(HOUR, DAY, HOUR))]
    for host in range(AGED[0]):
        for at in times:
            rollups.take([Sample(f"host-{host:07}", f"label {n}", 1.5, at) for n in range(AGED[1])], now)


def pin_and_serve(pipe: Connection, folder: Path, port: int, old: bool) -> None:
    """A whole server."""
    pinned(True)
    made = settings(folder)
    http = Http(listen=f"{HERE}:{port}", without_token=("read", "metrics"), idle=300.0)
    serve(pipe, structs.replace(made, http=http, metrics=Metrics()), aged if old else None)


def bare(pipe: Connection, port: int) -> None:
    """twisted.web that reads JSON, adds up in a dict, and answers: nothing can be less."""
    from json import loads

    from twisted.internet import reactor
    from twisted.web.resource import Resource
    from twisted.web.server import Site

    sums: dict[str, float] = {}

    class Posts(Resource):
        isLeaf = True

        def render_POST(self, request: object) -> bytes:
            for label, value in loads(request.content.read()).items():  # type: ignore[attr-defined]
                sums[label] = sums.get(label, 0.0) + value
            return b"{}"

    pinned(True)
    reactor.listenTCP(port, Site(Posts()), interface=HERE)  # type: ignore[attr-defined]
    run_until_asked(pipe, lambda: port, lambda: len(sums))


# clients


def request(host: str, labels: int, path: str, body: bytes) -> bytes:
    """A post."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HERE}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ours(host: str, labels: int) -> bytes:
    """Lizmon's API."""
    body = "{" + ",".join(f'"label {number}": {number}.5' for number in range(labels)) + "}"
    return request(host, labels, f"/api/perf/{host}/{int(time.time())}", body.encode())


def pushed(host: str, labels: int) -> bytes:
    """Pushgateway's."""
    body = "".join(f"label_{number} {number}.5\n" for number in range(labels))
    return request(host, labels, f"/metrics/job/load/instance/{host}", body.encode())


def load(port: int, pid: int, hosts: int, labels: int, seconds: float, made: Callable[[str, int], bytes]) -> Rate:
    """Post as fast as answers come."""
    poll = selectors.DefaultSelector()
    sent: dict[socket.socket, float] = {}
    posts = {}
    for number in range(hosts):
        link = socket.create_connection((HERE, port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        posts[link] = made(f"host-{number:07}", labels)
        poll.register(link, selectors.EVENT_READ)
    times: list[float] = []
    for warm in (True, False):
        times.clear()
        began, cpu = time.perf_counter(), cpu_seconds(pid)
        end = began + (0.5 if warm else seconds)
        for link, post in posts.items():
            link.sendall(post)
            sent[link] = time.perf_counter()
        while sent:
            for key, _ in poll.select(STARTED):
                link = key.fileobj  # type: ignore[assignment]
                answer = link.recv(65536)
                if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202", b"HTTP/1.1 204")):
                    raise SystemExit(f"it answered {answer[:300]!r}")
                now = time.perf_counter()
                times.append(now - sent.pop(link))
                if now < end:
                    link.sendall(posts[link])
                    sent[link] = now
        took, used = time.perf_counter() - began, cpu_seconds(pid) - cpu
    for link in posts:
        link.close()
    times.sort()
    return Rate(len(times) / took, used / len(times), statistics.median(times), times[len(times) * 99 // 100])


def free_port() -> int:
    """One that nobody uses."""
    with socket.create_server((HERE, 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def pushgateway() -> Iterator[tuple[int, int]]:
    """Port and pid of Prometheus' Pushgateway, on one CPU, in memory."""
    port = free_port()
    argv = ["prometheus-pushgateway", f"--web.listen-address={HERE}:{port}", "--log.level=error"]
    run = subprocess.Popen(argv, preexec_fn=lambda: pinned(True), env={**os.environ, "GOMAXPROCS": "1"})
    try:
        end = time.monotonic() + STARTED
        while time.monotonic() < end:
            try:
                socket.create_connection((HERE, port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, run.pid
    finally:
        run.terminate()
        run.wait()


def main() -> None:
    """Everything once, and the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hosts", type=int, default=50)
    options.add_argument("--labels", type=int, default=2)
    options.add_argument("--seconds", type=float, default=4.0)
    options.add_argument("--every", type=int, default=20)
    options.add_argument("--only", default="day,fresh,aged,bare,pushgateway")
    given = options.parse_args()
    wanted = given.only.split(",")
    if "day" in wanted:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            fresh, old = apart.submit(day, given.every).result()
        rows = [["fresh", f"{fresh:,.0f}"], ["after a day", f"{old:,.0f}"]]
        title = f"{AGED[0]} hosts × {AGED[1]} labels, a sample each {given.every} s of a simulated day; no HTTP"
        show(title, ["summaries", "samples/CPU s"], rows)
        print("\n- " + verdict("samples/s after a day, × fresh", old / fresh, 0.8, at_least=True))
    pinned(False)
    rates: dict[str, Rate] = {}
    memory: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, age in (("fresh", False), ("aged", True)):
            if name in wanted:
                port = free_port()
                server = Apart(pin_and_serve, Path(folder, name), port, age)
                quiet(server.pid)
                memory[name] = resident(server.pid)
                rates[name] = load(port, server.pid, given.hosts, given.labels, given.seconds, ours)
                server.finish()
    if "bare" in wanted:
        port = free_port()
        server = Apart(bare, port)
        rates["twisted.web, bare"] = load(port, server.pid, given.hosts, given.labels, given.seconds, ours)
        server.finish()
    if "pushgateway" in wanted and shutil.which("prometheus-pushgateway"):
        with pushgateway() as (port, pid):
            rates["Pushgateway, one CPU"] = load(port, pid, given.hosts, given.labels, given.seconds, pushed)
    elif "pushgateway" in wanted:
        print("prometheus-pushgateway: not installed, left out", file=sys.stderr)
    rows = [
        [
            name,
            f"{rate.posts:,.0f}",
            f"{rate.cpu * 1e6:.0f}",
            f"{1 / rate.cpu:,.0f}",
            f"{rate.p50 * 1e3:.1f}",
            f"{rate.p99 * 1e3:.1f}",
        ]
        for name, rate in rates.items()
    ]
    title = f"{given.hosts} hosts, {given.labels} labels a post, as fast as answers come, {given.seconds:g} s"
    show(title, ["server", "POST/s", "server CPU µs", "POST/CPU s", "p50 ms", "p99 ms"], rows)
    print()
    if "fresh" in rates:
        print("- " + verdict(f"POST/CPU s, × {LIZMON} of lizmon", 1 / rates["fresh"].cpu / LIZMON, 10, at_least=True))
    if "fresh" in rates and "aged" in rates:
        print(
            "- "
            + verdict("POST/CPU s after a day, × fresh", rates["fresh"].cpu / rates["aged"].cpu, 0.9, at_least=True)
        )
    if "aged" in memory:
        told = budget(AGED[0], 0, AGED[1], 0.0, 5.0, 1).memory
        print("- " + verdict("memory of the server after a day, × monitor436 budget", memory["aged"] / told, 1.2))


if __name__ == "__main__":
    main()
