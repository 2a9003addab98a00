"""F8: jobs through Redis: put, handed out, done, their results taken and acknowledged, by one process in all roles.

    python benchmarks/queues.py [--jobs 20000] [--rounds 3] [--redis redis-server] [--only ours,bare]

Bare is txredisapi as it comes, its commands sent a hundred at a time without waiting for each: XADD, XREADGROUP, XADD
of the result and XACK of the job, XREADGROUP, XACK of the result. It counts nothing, bounds nothing, and may do a job
twice. Each client is a process of its own, and so is redis-server, which keeps nothing on the disk.
"""

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from apart import cpu_seconds
from table import show, verdict

AT_ONCE = 100
BODY = json.dumps({"host": "web123.example.net", "time": 1767225600.123, "took": 0.123, "seconds": 5677620.31}).encode()


async def bare(port: int, jobs: int, results: bool = True) -> None:
    """txredisapi as it comes."""
    import txredisapi
    from twisted.internet.defer import DeferredList, ensureDeferred

    async def connect() -> Any:
        return await txredisapi.Connection("127.0.0.1", port, charset=None, convertNumbers=False)

    async def together(calls: list[Any]) -> None:
        await DeferredList(calls, fireOnOneErrback=True)

    async def send(link: Any) -> None:
        for start in range(0, jobs, AT_ONCE):
            calls = [
                link.execute_command("XADD", "jobs", "*", "b", "batch", "n", f"h{n}", "j", "22")
                for n in range(start, min(jobs, start + AT_ONCE))
            ]
            await together(calls)

    async def take(link: Any, stream: str, more: bool) -> None:
        left = jobs
        words = ("XREADGROUP", "GROUP", "g", "w", "COUNT", AT_ONCE, "BLOCK", 1000, "STREAMS", stream, ">")
        while left:
            found = (await link.execute_command(*words) or [[0, []]])[0][1]
            calls = []
            for ticket, fields in found:
                if more:
                    name = fields[3]
                    calls.append(link.execute_command("XADD", "out", "*", "b", "batch", "n", name, "r", BODY))
                calls.append(link.execute_command("XACK", stream, "g", ticket))
            await together(calls)
            left -= len(found)

    links = [await connect() for _ in range(3)]
    for stream in ("jobs", "out"):
        await links[0].execute_command("XGROUP", "CREATE", stream, "g", "0", "MKSTREAM")
    roles = [send(links[0]), take(links[1], "jobs", results)]
    if results:
        roles.append(take(links[2], "out", False))
    await together([ensureDeferred(role) for role in roles])
    for link in links:
        await link.disconnect()


async def bare_jobs(port: int, jobs: int) -> None:
    """Without results: each job is put, handed out and acknowledged."""
    await bare(port, jobs, False)


async def ours(port: int, jobs: int) -> None:
    """queues/redis.py."""
    from twisted.internet import reactor
    from twisted.internet.defer import DeferredList, ensureDeferred

    from monitor436.model.settings.redis import Redis
    from monitor436.queues import open_queue

    redis = Redis(address=f"127.0.0.1:{port}")
    sender, worker, sink = (open_queue("bench", redis, reactor) for _ in range(3))

    async def send() -> None:
        for start in range(0, jobs, AT_ONCE):
            names = [(f"h{n}", b"22") for n in range(start, min(jobs, start + AT_ONCE))]
            await sender.put("batch", names, 100_000)
        await sender.seal("batch")

    async def work() -> None:
        left = jobs
        while left:
            found = await worker.claim("w", AT_ONCE, 1.0)
            await worker.acknowledge([(job, BODY) for job in found])
            left -= len(found)

    async def take() -> None:
        left = jobs
        while left:
            found = await sink.results(AT_ONCE, 1.0)
            await sink.complete(found)
            left -= len(found)

    await DeferredList([ensureDeferred(role()) for role in (send, work, take)], fireOnOneErrback=True)
    assert (await sink.batch("batch")).completed == jobs
    for queue in (sender, worker, sink):
        await queue.close()


CLIENTS: dict[str, tuple[str, Callable[[int, int], Awaitable[None]]]] = {
    "bare jobs": ("bare txredisapi, without results", bare_jobs),
    "bare": ("bare txredisapi", bare),
    "ours": ("monitor436, once for each job", ours),
}


def run(name: str, port: int, jobs: int) -> None:
    """In a process of its own: print the seconds it took, and the CPU of this process."""
    from twisted.internet import reactor
    from twisted.internet.defer import ensureDeferred

    async def timed() -> None:
        await CLIENTS[name][1](port, 10)  # imports and scripts
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.sendall(b"FLUSHALL\r\n")
            link.recv(100)
        began, cpu = time.monotonic(), time.process_time()
        await CLIENTS[name][1](port, jobs)
        print(time.monotonic() - began, time.process_time() - cpu)

    done = ensureDeferred(timed())
    done.addErrback(lambda failure: failure.printTraceback())
    done.addBoth(lambda _: reactor.callWhenRunning(reactor.stop))  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


def measured(name: str, program: str, jobs: int) -> tuple[float, float, float]:
    """Jobs a second, and µs of CPU a job of the client and of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        words = [program, "--port", str(port), "--save", "", "--dir", folder, "--bind", "127.0.0.1"]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            before = cpu_seconds(server.pid)
            client = [sys.executable, __file__, "--run", name, "--port", str(port), "--jobs", str(jobs)]
            said = subprocess.run(client, check=True, capture_output=True, text=True).stdout.split()
            spent = cpu_seconds(server.pid) - before
        finally:
            server.kill()
            server.wait()
    seconds, cpu = map(float, said)
    return jobs / seconds, cpu / jobs * 1e6, spent / jobs * 1e6


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--redis", default="redis-server", help="the program: that of Redis or Valkey")
    parser.add_argument("--only", default=",".join(CLIENTS))
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        run(asked.run, asked.port, asked.jobs)
        return
    if not shutil.which(asked.redis):
        raise SystemExit(f"no {asked.redis} here")
    names = [name for name in CLIENTS if name in asked.only.split(",")]
    rounds = [{name: measured(name, asked.redis, asked.jobs) for name in names} for _ in range(asked.rounds)]
    found = {
        name: [statistics.median(figures) for figures in zip(*(r[name] for r in rounds), strict=True)] for name in names
    }
    floor = found["bare"][0] if "bare" in found else 0.0
    rows = [
        (CLIENTS[name][0], f"{rate:,.0f}", f"{rate / floor:.2f}" if floor else "", f"{client:.0f}", f"{server:.0f}")
        for name, (rate, client, server) in found.items()
    ]
    what = f"{asked.jobs:,} jobs, {AT_ONCE} at a time; median of {asked.rounds} rounds"
    said = subprocess.run([asked.redis, "--version"], capture_output=True, text=True).stdout.split()
    told = [f"{package} {version(package)}" for package in ("Twisted", "txredisapi")]
    show(what, ("queue", "jobs/s", "× bare", "client CPU µs", "server CPU µs"), rows, [*told, f"{said[0]} {said[2]}"])
    if floor and "ours" in found:
        ratios = [r["ours"][0] / r["bare"][0] for r in rounds]
        print("\n- " + verdict("× bare txredisapi", statistics.median(ratios), 0.7, at_least=True))


if __name__ == "__main__":
    main()
