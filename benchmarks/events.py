"""Events in: durable events a second through the whole server, each acknowledged after the disk has it, in one run.

Hosts send windows of EVENTS datagrams, as agents do, and wait for acknowledgements. Beside it the same without sync,
rsyslog that syncs before it answers, and the floor: lines appended to a file, one fdatasync for every 64 of them.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import peers
import twisted
from apart import Apart
from fleet import greet, opened
from msgspec import json
from server import serve, settings
from table import show, verdict

from monitor436.agent import event as stated
from monitor436.agent import wire
from monitor436.application import Monitor

HOSTS = 16
AHEAD = 16  # datagrams of one host on their way at once
RESEND = 0.25  # seconds without any acknowledgement after which everything on its way is sent again
TEXT = "Failed password for root from 10.1.2.3 port 4242 ssh2"
TARGETS = {8: 250_000.0, 1: 50_000.0}  # events a second, by events in a datagram
FLOOR_BATCH = 64


class Figures(NamedTuple):
    """What one round gave: events a second, seconds of CPU an event, seconds until half and 99 % were acknowledged."""

    rate: float
    cpu: float
    half: float
    most: float


class Sender:
    """One host: its datagrams sealed beforehand, and how far it is."""

    def __init__(self, session: wire.Session, datagrams: int, records: int) -> None:
        self.each = records
        self.sealed = [self._sealed(session, number * records + 1, records) for number in range(datagrams)]
        self.sent_at = [0.0] * datagrams
        self.next = self.done = 0

    @staticmethod
    def _sealed(session: wire.Session, first: int, records: int) -> bytes:
        events = [stated.event(stated.LOG_LINE, "warning", TEXT, 1.7e9, "auth") for _ in range(records)]
        return session.seal(wire.EVENTS, wire.dump({"s": "a" * 16, "n": first, "a": 0, "e": events}))


def send_all(port: int, site_key: bytes, datagrams: int, records: int) -> tuple[float, list[float]]:
    """Send everything; the seconds it took, and for each datagram those until its acknowledgement."""
    through = opened()
    server = ("127.0.0.1", port)
    sessions = greet(through, server, site_key, HOSTS)
    senders = {session.id: Sender(session, datagrams, records) for session in sessions}
    took: list[float] = []
    began = time.perf_counter()
    while any(sender.done < datagrams for sender in senders.values()):
        for sender in senders.values():
            while sender.next < min(datagrams, sender.done + AHEAD):
                sender.sent_at[sender.next] = time.perf_counter()
                through.sendto(sender.sealed[sender.next], server)
                sender.next += 1
        try:
            answers = [through.recv(2048)]
            through.setblocking(False)
            while len(answers) < 256:
                answers.append(through.recv(2048))
        except BlockingIOError:
            if not answers:
                raise SystemExit("the server does not answer") from None
        finally:
            through.setblocking(True)
        now = time.perf_counter()
        for answer in answers:
            _, _, id, _ = wire.header(answer)
            _note(senders[id], answer, now, took)
    return time.perf_counter() - began, took


def _note(sender: Sender, answer: bytes, now: float, took: list[float]) -> None:
    """An acknowledgement came."""
    done = json.decode(answer[wire.HEADER.size : -wire.TAG_SIZE])["n"] // sender.each
    took += [now - sender.sent_at[number] for number in range(sender.done, done)]
    sender.done = max(sender.done, done)


def without_sync(monitor: Monitor) -> None:
    """Take the disk's word for it."""
    os.fdatasync = lambda fd: None  # type: ignore[assignment]


def measure(events: int, records: int, synced: bool) -> Figures:
    """A server of its own, and what it takes in."""
    with tempfile.TemporaryDirectory() as folder:
        made = settings(Path(folder))
        served = Apart(serve, made, None if synced else without_sync)
        before = served.cpu()
        datagrams = events // records // HOSTS
        seconds, took = send_all(served.ready, (Path(folder) / "site" / "site.key").read_bytes(), datagrams, records)
        spent = served.cpu() - before
        served.finish()
    took.sort()
    count = datagrams * records * HOSTS
    return Figures(count / seconds, spent / count, took[len(took) // 2], took[len(took) * 99 // 100])


def floor(lines: int) -> float:
    """Lines a second that one process appends, with a sync for every FLOOR_BATCH of them."""
    batch = (b'{"time":"2026-01-01T00:00:00Z","severity":"warning","text":"' + TEXT.encode() + b'"}\n') * FLOOR_BATCH
    with tempfile.TemporaryFile() as file:
        began = time.perf_counter()
        for _ in range(lines // FLOOR_BATCH):
            os.write(file.fileno(), batch)
            os.fdatasync(file.fileno())
        return lines / (time.perf_counter() - began)


def relp(lines: int, window: int) -> tuple[float, float, float]:
    """Lines a second that rsyslog takes, syncs and answers; seconds until half and 99 % were answered."""
    with tempfile.TemporaryDirectory() as folder, peers.rsyslog(Path(folder)) as port:
        seconds, took = peers.relp(port, lines, window, TEXT)
    took.sort()
    return lines / seconds, took[len(took) // 2], took[len(took) * 99 // 100]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=200_000, help="events a round (default: %(default)s)")
    options.add_argument("--rounds", type=int, default=3, help="the median of so many rounds (default: %(default)s)")
    given = options.parse_args()
    bottom = floor(given.events)
    rows: list[list[object]] = [[f"file, a sync for {FLOOR_BATCH} lines", f"{bottom:,.0f}", "1.00", "", "", ""]]
    verdicts = []
    for records in (8, 1):
        for synced in (True, False):
            found = [measure(given.events // (1 if records > 1 else 4), records, synced) for _ in range(given.rounds)]
            middle = Figures(*(statistics.median(column) for column in zip(*found, strict=True)))
            name = f"monitor436, {records} a datagram" + ("" if synced else ", without sync")
            times = [f"{middle.cpu * 1e6:.1f}", f"{middle.half * 1e3:.1f}", f"{middle.most * 1e3:.1f}"]
            rows.append([name, f"{middle.rate:,.0f}", f"{middle.rate / bottom:.2f}", *times])
            if synced:
                verdicts.append(
                    verdict(f"events/s, {records} a datagram", middle.rate, TARGETS[records], at_least=True)
                )
    if peers.has_rsyslog():
        for window in (128, 1):
            rate, half, most = relp(given.events // 40, window)
            name = f"rsyslog, RELP, synced, window {window}"
            rows.append([name, f"{rate:,.0f}", f"{rate / bottom:.2f}", "", f"{half * 1e3:.1f}", f"{most * 1e3:.1f}"])
    columns = ("events in", "durable events/s", "× floor", "server CPU µs", "p50 ms", "p99 ms")
    show(
        f"{HOSTS} hosts, {AHEAD} datagrams each on their way; median of {given.rounds}",
        columns,
        rows,
        [f"Twisted {twisted.__version__}"],
    )
    print("\n".join(verdicts))


if __name__ == "__main__":
    main()
