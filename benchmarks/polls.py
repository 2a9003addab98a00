"""F3: what a status poll costs the one who asks: CPU a poll, with new connections and with kept ones.

Every target has a loopback address of its own (127.x.y.z), so to a client they are so many hosts; one process answers
for all of them, on the last CPU. Each client is a process of its own.

    python benchmarks/polls.py [--hosts 1000] [--rounds 5] [--at-once 200] [--only ours,aiohttp]

Peers that are not installed are left out: pip install aiohttp requests; Debian's curl and prometheus, whose figures are
those of scrapes, kept connections only.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib.util
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

from apart import cpu_seconds
from table import show, verdict

BODY = json.dumps(
    {"Application": "shop", "Version": "2.1", "Uptime": 123456, "Request_Count": 1000, "Error_Count": 3,
     "Success_Count": 997, "note": "x" * 100}
).encode()  # fmt: skip
SAMPLES = b"".join(
    b'shop_%s{version="2.1"} %d\n' % (name, 997) for name in (b"uptime", b"requests", b"errors", b"successes")
)
ANSWER = b"HTTP/1.1 200 OK\r\nServer: farm\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
TIMEOUT = 10.0
Measured = tuple[float, float]  # CPU seconds, seconds


def farm() -> None:
    """Answer every request, on a port that is printed, until stdin ends."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    answer, samples = (ANSWER % (len(body), body) for body in (BODY, SAMPLES))
    door = socket.create_server(("0.0.0.0", 0), backlog=8192)
    door.setblocking(False)
    poll = select.epoll()
    poll.register(door.fileno(), select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    open_: dict[int, socket.socket] = {}
    print(door.getsockname()[1], flush=True)
    while True:
        for number, _ in poll.poll():
            if number == 0:
                return
            if number == door.fileno():
                try:
                    while True:
                        client, _ = door.accept()
                        client.setblocking(False)
                        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        open_[client.fileno()] = client
                        poll.register(client.fileno(), select.EPOLLIN)
                except BlockingIOError:
                    continue
            try:
                data = open_[number].recv(65536)
                if data:
                    said = samples if data.startswith(b"GET /metrics") else answer
                    open_[number].send(said * data.count(b"\r\n\r\n"))
                    continue
            except OSError:
                pass
            open_.pop(number).close()


def urls(count: int, port: int) -> list[str]:
    """So many hosts."""
    return [f"http://127.{1 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}:{port}/status" for n in range(count)]


def taken(before: Measured | None = None) -> Measured:
    """CPU and time of this process until now, or since then."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    now = usage.ru_utime + usage.ru_stime, time.monotonic()
    return now if before is None else (now[0] - before[0], now[1] - before[1])


def ours(pages: list[str], rounds: int, at_once: int) -> list[Measured]:
    """monitor436's poller and its HTTP probe."""
    from urllib.parse import urlsplit

    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    from monitor436.probes.poller import Poller
    from monitor436.probes.probe import Answer, Target
    from monitor436.probes.web.http import HttpProbe

    parts = [urlsplit(page) for page in pages]
    targets = [
        Target(page, page, str(part.hostname), int(part.port or 80)) for page, part in zip(pages, parts, strict=True)
    ]
    results: list[Measured] = []

    async def run(reactor: Any) -> None:
        poller = Poller(reactor, HttpProbe(reactor, TIMEOUT), at_once)
        for _ in range(1 + rounds):
            before = taken()
            found = await poller.poll(targets)
            results.append(taken(before))
            assert all(isinstance(each, Answer) and each.body == BODY for each in found), found[0]

    with contextlib.suppress(SystemExit):
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    return results


def treq_as_it_comes(pages: list[str], rounds: int, at_once: int) -> list[Measured]:
    """treq's own functions with a pool that keeps connections."""
    import treq
    from twisted.internet.defer import Deferred, gatherResults
    from twisted.internet.task import react
    from twisted.web.client import HTTPConnectionPool

    results: list[Measured] = []

    async def run(reactor: Any) -> None:
        pool = HTTPConnectionPool(reactor)
        for _ in range(1 + rounds):
            waiting = iter(pages)

            async def work(waiting: Any) -> None:
                for page in waiting:
                    response = await treq.get(page, pool=pool, timeout=TIMEOUT)
                    assert await response.content() == BODY

            before = taken()
            await gatherResults([Deferred.fromCoroutine(work(waiting)) for _ in range(at_once)])
            results.append(taken(before))
        await pool.closeCachedConnections()

    with contextlib.suppress(SystemExit):
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    return results


def with_aiohttp(pages: list[str], rounds: int, at_once: int) -> list[Measured]:
    """One session, at most `at_once` at a time."""
    import aiohttp

    results: list[Measured] = []

    async def run() -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(TIMEOUT)) as session:
            for _ in range(1 + rounds):
                waiting = iter(pages)

                async def work(waiting: Any) -> None:
                    for page in waiting:
                        async with session.get(page, allow_redirects=False) as response:
                            assert await response.read() == BODY

                before = taken()
                await asyncio.gather(*(work(waiting) for _ in range(at_once)))
                results.append(taken(before))

    asyncio.run(run())
    return results


def with_requests(pages: list[str], rounds: int, at_once: int) -> list[Measured]:
    """A session in each of 32 threads, as is usual; its pool keeps every host."""
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", HTTPAdapter(pool_connections=len(pages), pool_maxsize=1))
    results = []
    with ThreadPoolExecutor(32) as threads:
        for _ in range(1 + rounds):
            before = taken()
            bodies = list(threads.map(lambda page: session.get(page, timeout=TIMEOUT).content, pages))
            results.append(taken(before))
            assert all(body == BODY for body in bodies)
    return results


def with_curl(pages: list[str], rounds: int, at_once: int) -> list[Measured]:
    """curl --parallel; a run is a round, so it has new connections only."""
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config")
        with open(config, "w") as file:
            file.writelines(f'url = "{page}"\noutput = "/dev/null"\n' for page in pages)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        run = [
            "curl",
            "--silent",
            "--fail",
            "--no-progress-meter",
            "--parallel",
            "--parallel-max",
            str(min(at_once, 300)),
            "--config",
            config,
        ]
        subprocess.run(run, check=True, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [(cpu, time.monotonic() - began)]


def with_prometheus(pages: list[str], rounds: int, at_once: int) -> list[Measured]:
    """A Prometheus that scrapes every host each second, four samples a page, which it also stores."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        config, port = os.path.join(folder, "config"), free.getsockname()[1]
        free.close()
        hosts = [page.split("/")[2] for page in pages]
        job = {"job_name": "shops", "static_configs": [{"targets": hosts}]}
        with open(config, "w") as file:  # JSON is YAML
            json.dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}, file)
        argv = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
        argv.append(f"--web.listen-address=127.0.0.1:{port}")
        run = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        try:
            ask = f"http://127.0.0.1:{port}/api/v1/query?query=count(up==1)"
            _until_all_are_up(ask, len(pages))
            results = []
            for seconds in (1, *[2] * rounds):  # whole seconds: so many scrapes of each
                before = cpu_seconds(run.pid)
                time.sleep(seconds)
                results.append(((cpu_seconds(run.pid) - before) / seconds, 1.0))
            return results
        finally:
            run.terminate()
            run.wait()


def _until_all_are_up(ask: str, count: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError, IndexError), urllib.request.urlopen(ask) as answer:
            if int(json.load(answer)["data"]["result"][0]["value"][1]) == count:
                return
        time.sleep(0.2)
    raise SystemExit("Prometheus does not reach every host")


Client = Callable[[list[str], int, int], list[Measured]]
CLIENTS: dict[str, tuple[Client, str]] = {
    "ours": (ours, "monitor436"),
    "treq": (treq_as_it_comes, "treq"),
    "aiohttp": (with_aiohttp, "aiohttp"),
    "requests": (with_requests, "requests"),
    "curl": (with_curl, ""),
    "prometheus": (with_prometheus, ""),
}


def main() -> None:
    """Start the farm, run each client, print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hosts", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--at-once", type=int, default=200)
    options.add_argument("--only", default=",".join(CLIENTS))
    options.add_argument("--client", help=argparse.SUPPRESS)
    options.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.client == "farm":
        farm()
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.client:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        gc.collect()
        print(json.dumps(CLIENTS[given.client][0](urls(given.hosts, given.port), given.rounds, given.at_once)))
        return
    again = [sys.executable, __file__, "--hosts", str(given.hosts), "--rounds", str(given.rounds)]
    again += ["--at-once", str(given.at_once)]
    served = subprocess.Popen([*again, "--client", "farm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert served.stdin and served.stdout
    port = served.stdout.readline().strip()
    rows: dict[str, list[Measured]] = {}
    for name in given.only.split(","):
        library = CLIENTS[name][1]
        if not (importlib.util.find_spec(library) if library else shutil.which(name)):
            print(f"{name}: not installed, left out", file=sys.stderr)
            continue
        run = subprocess.run([*again, "--client", name, "--port", port], stdout=subprocess.PIPE, check=True, text=True)
        rows[name] = json.loads(run.stdout.splitlines()[-1])
    served.stdin.close()
    served.wait()
    served.stdout.close()
    peer = of(rows["aiohttp"], given.hosts) if "aiohttp" in rows else None
    table = []
    for name, measured in rows.items():
        found: tuple[Measured | None, Measured | None] = of(measured, given.hosts)
        if name == "prometheus":
            found = None, found[1]
        cells: list[str] = []
        for at in (0, 1):
            each, base = found[at], peer[at] if peer else None
            cells += (
                [f"{each[0]:.3f}", f"{each[0] / base[0]:.2f}" if base else "", f"{each[1]:.2f}"] if each else [""] * 3
            )
        table.append([name, *cells])
    title = f"{given.hosts:,} hosts, {given.at_once} at once; CPU of the client; warm: median of {given.rounds} rounds"
    columns = ["client", "cold ms a poll", "× aiohttp", "s a round", "warm ms a poll", "× aiohttp", "s a round"]
    libraries = ("Twisted", "aiohttp", "requests", "treq")
    with_versions = [f"{name} {version(name)}" for name in libraries if importlib.util.find_spec(name.lower())]
    show(title, columns, table, with_versions)
    own = of(rows["ours"], given.hosts) if "ours" in rows else None
    if own and peer and own[1] and peer[1]:
        print("\n- " + verdict("cold, × aiohttp", own[0][0] / peer[0][0], 0.7))
        print("- " + verdict("warm, × aiohttp", own[1][0] / peer[1][0], 0.5))


def of(measured: list[Measured], hosts: int) -> tuple[Measured, Measured | None]:
    """ms of CPU a poll and seconds a round: of the first round, and the median of the others."""
    cold, *warm = [(cpu * 1000 / hosts, seconds) for cpu, seconds in measured]
    return cold, sorted(warm)[len(warm) // 2] if warm else None


if __name__ == "__main__":
    main()
