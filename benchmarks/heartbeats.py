"""Heartbeats in: CPU of the receiving process for each datagram, ours against simpler receivers, in one run.

Ours is a whole server: a datagram is unsealed, checked for replay, decoded and noted in the roster.
"""

import argparse
import hmac
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import peers
import twisted
from apart import Apart, run_until_asked
from fleet import beat, drain, greet, opened
from server import protocol_of, serve, settings
from table import show, verdict

from monitor436.agent import wire
from monitor436.application import Monitor

RATE = 100_000  # datagrams a second
TICK = 0.001  # seconds between bursts of the sender
KEY = b"k" * 32
TARGET = 3.5  # µs for an authenticated heartbeat


def python_loop(pipe: Connection) -> None:
    """The floor: a loop of recvfrom that counts."""
    through, count = opened(), 0
    pipe.send(through.getsockname()[1])
    while not pipe.poll():
        try:
            while True:
                through.recvfrom(2048)
                count += 1
        except BlockingIOError:
            continue
    pipe.send(count)


def twisted_port(pipe: Connection) -> None:
    """A UDP port of Twisted that counts."""
    from twisted.internet.protocol import DatagramProtocol

    class Counting(DatagramProtocol):
        count = 0

        def datagramReceived(self, datagram: bytes, address: object) -> None:
            self.count += 1

    _listen(pipe, Counting())


def twisted_json_hmac(pipe: Connection) -> None:
    """What one writes first: the standard library's json and hmac on a UDP port of Twisted, and a dictionary."""
    from twisted.internet.protocol import DatagramProtocol

    class Naive(DatagramProtocol):
        count = 0
        hosts: dict[str, tuple[float, int, str]] = {}

        def datagramReceived(self, datagram: bytes, address: object) -> None:
            body, tag = datagram[:-32], datagram[-32:]
            if hmac.compare_digest(hmac.new(KEY, body, "sha256").digest(), tag):
                said = json.loads(body)
                self.hosts[said["host"]] = (time.monotonic(), said["up"], said["plan"])
                self.count += 1

    _listen(pipe, Naive())


def _listen(pipe: Connection, protocol: Any) -> None:
    import socket

    from twisted.internet import reactor

    through = opened()
    through.setblocking(False)
    reactor.adoptDatagramPort(through.fileno(), socket.AF_INET, protocol, maxPacketSize=65535)  # type: ignore[attr-defined]
    run_until_asked(pipe, lambda: through.getsockname()[1], lambda: protocol.count)


def mute(monitor: Monitor) -> None:
    """Make a server hear and never answer."""
    protocol_of(monitor)._answer = lambda session: None  # type: ignore[method-assign]


def plain(hosts: int) -> Callable[[int], list[bytes]]:
    """Datagrams as long as heartbeats, for those who do not look inside."""
    datagram = wire.seal(wire.Key(KEY), wire.BEAT, 0, 1, 1, beat(86400))
    return lambda count: [datagram] * count


def with_hmac(hosts: int) -> Callable[[int], list[bytes]]:
    """Heartbeats as JSON with a host's name, and an HMAC behind them."""
    bodies = [
        json.dumps({"host": f"host{n:05}", "up": 86400, "fill": 0, "plan": "5e" * 32}).encode() for n in range(hosts)
    ]
    tagged = [body + hmac.new(KEY, body, "sha256").digest() for body in bodies]
    return lambda count: [tagged[n % hosts] for n in range(count)]


def send(through: Any, datagrams: Sequence[bytes], rate: float) -> None:
    """Send at a rate, in bursts of a tick each."""
    begun, at = time.perf_counter(), 0
    while at < len(datagrams):
        due = min(len(datagrams), int((time.perf_counter() - begun) * rate) + 1)
        for datagram in datagrams[at:due]:
            through.send(datagram)
        at = due
        time.sleep(TICK)


def measured(
    receiver: Any, make: Callable[[int], list[bytes]], port: int, count: int, rate: float, through: Any
) -> float:
    """CPU seconds that a receiver spends on `count` datagrams."""
    datagrams = make(count)
    through.connect(("127.0.0.1", port))
    drain(through)
    before = receiver.cpu()
    send(through, datagrams, rate)
    time.sleep(0.3)  # until the last are taken
    return receiver.cpu() - before


def simple(
    function: Callable[..., None], make: Callable[[int], list[bytes]], count: int, rate: float
) -> tuple[float, int]:
    """(CPU seconds, datagrams received) of a receiver without sessions."""
    receiver = Apart(function)
    cpu = measured(receiver, make, receiver.ready, count, rate, opened())
    return cpu, receiver.finish()


def another(program: Any, make: Callable[[int], list[bytes]], count: int, rate: float) -> tuple[float, int]:
    """(CPU seconds, datagrams received) of another program: those of its socket that the kernel did not drop."""
    with tempfile.TemporaryDirectory() as folder, program(Path(folder)) as (run, port):
        before = dropped(port)
        cpu = measured(run, make, port, count, rate, opened())
        lost = dropped(port) - before
        run.end()
    return cpu, count - lost


def dropped(port: int) -> int:
    """How many datagrams for that port of this machine found its buffer full."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if int(row[1].rpartition(":")[2], 16) == port)


def signed_for_collectd(hosts: int) -> Callable[[int], list[bytes]]:
    """Packets of collectd's own protocol."""
    packets = [peers.collectd_packet(number) for number in range(hosts)]
    return lambda count: [packets[n % hosts] for n in range(count)]


def ours(alter: Callable[[Monitor], None] | None, hosts: int, count: int, rate: float) -> tuple[float, int]:
    """(CPU seconds, heartbeats received) of a whole server."""
    with tempfile.TemporaryDirectory() as folder:
        made = settings(Path(folder, "server"))
        receiver = Apart(serve, made, alter)
        through = opened()
        key = Path(made.state, "site", "site.key").read_bytes()
        sessions = greet(through, ("127.0.0.1", receiver.ready), key, hosts)
        make = lambda count: [sessions[n % hosts].seal(wire.BEAT, beat(n)) for n in range(count)]  # noqa: E731
        cpu = measured(receiver, make, receiver.ready, count, rate, through)
        heard, refused = receiver.finish()
    if refused:
        print("refused:", refused)
    return cpu, heard["BEAT"] - hosts


def main() -> None:
    """Every receiver in turn, several rounds, the median of each."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=1000)
    options.add_argument("--rate", type=float, default=RATE, help="datagrams a second (default: %(default)s)")
    options.add_argument("--count", type=int, default=200_000, help="datagrams in a round (default: %(default)s)")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    count, rate = given.count, given.rate
    runs: dict[str, Callable[[], tuple[float, int]]] = {
        "Python, recvfrom loop, counts": lambda: simple(python_loop, plain(given.hosts), count, rate),
        "Twisted UDP port, counts": lambda: simple(twisted_port, plain(given.hosts), count, rate),
        "Twisted + json + hmac + dict": lambda: simple(twisted_json_hmac, with_hmac(given.hosts), count, rate),
        "monitor436, heard": lambda: ours(mute, given.hosts, count, rate),
        "monitor436, heard and answered": lambda: ours(None, given.hosts, count, rate),
    }
    if peers.can_compile():
        first = {"C, recvmmsg loop, counts": lambda: another(peers.c_loop, plain(given.hosts), count, rate)}
        runs = {**first, **runs}
    if shutil.which("collectd"):
        runs["collectd, signed packets"] = lambda: another(
            peers.collectd, signed_for_collectd(given.hosts), count, rate
        )
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in runs}
    for _ in range(given.rounds):
        for name, run in runs.items():
            found[name].append(run())
    costs = {name: statistics.median(cpu / received * 1e6 for cpu, received in each) for name, each in found.items()}
    our_cost = costs["monitor436, heard"]
    rows = [
        (
            name,
            f"{cost:.2f}",
            f"{cost / our_cost:.2f}",
            f"{count * given.rounds:,}",
            f"{count * given.rounds - sum(n for _, n in found[name]):,}",
        )
        for name, cost in costs.items()
    ]
    title = f"{given.hosts:,} hosts, {rate:,.0f} heartbeats a second, median of {given.rounds} rounds"
    show(title, ("receiver", "CPU µs a datagram", "× ours", "sent", "lost"), rows, [f"Twisted {twisted.__version__}"])
    print(verdict("µs a heartbeat that was heard", our_cost, TARGET))


if __name__ == "__main__":
    main()
