"""Between one agent and its server, on loopback: passes datagrams on, keeps a copy of each, and can hold some back."""

import contextlib
import random
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import json

from monitor436.agent import wire
from tests.e2e.patience import eventually

LOOPBACK = "127.0.0.1"
LARGEST = 65535
TIMES = 35  # SO_TIMESTAMPNS of socket(7), which Python does not name; also the type of the message that tells the time
TIME = struct.Struct("@ll")  # seconds and nanoseconds, struct timespec
UDP_TABLE = Path("/proc/net/udp")
SEND_AT_ONCE = 64  # datagrams until the receiver is waited for
Address = tuple[str, int]


class Seen(NamedTuple):
    """A datagram on its way, from the agent or to it; when the kernel had it, however late it was read."""

    to_server: bool
    kind: str
    datagram: bytes
    at: float


def waiting(port: int) -> int:
    """Bytes in the receive buffer of the UDP socket on a port of this machine. Source: proc_net_udp(5)."""
    for line in UDP_TABLE.read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == port:
            return int(words[4].split(":")[1], 16)
    return 0


def flips(datagram: bytes, most: int, seed: int) -> Iterator[bytes]:
    """The datagram with one bit changed, for every bit of it or `most` of them."""
    bits = range(8 * len(datagram))
    chosen = bits if most >= len(bits) else random.Random(seed).sample(bits, most)
    for bit in chosen:
        changed = bytearray(datagram)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


class Stranger:
    """A socket that neither side knows."""

    def __init__(self, address: str = "127.0.0.2") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.setblocking(False)
        self.sent = 0
        self.bytes_sent = 0

    def send(self, datagrams: Iterator[bytes] | list[bytes], port: int) -> None:
        """Send them all, no faster than they are read at the other end."""
        for datagram in datagrams:
            self._socket.sendto(datagram, (LOOPBACK, port))
            self.sent += 1
            self.bytes_sent += len(datagram)
            if self.sent % SEND_AT_ONCE == 0:
                eventually(lambda: not waiting(port), 10.0, "what was sent is read", poll=0.001)
        eventually(lambda: not waiting(port), 10.0, "what was sent is read", poll=0.001)

    def answers(self) -> list[bytes]:
        """What came back."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(LARGEST))
        return found

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()


class Wiretap:
    """Agents hear beacons on `hears`, which name this relay as the server; it talks to the true one on `port`.

    `say` in the server's settings is where it hears the true beacons. It works in a thread of its own until `close`.
    """

    def __init__(self, say: int, hears: int, port: int, beacon_key: bytes) -> None:
        self.seen: list[Seen] = []
        self.held: dict[str, bytes] = {}
        self.agent: Address | None = None
        self._hold: set[str] = set()
        self._at = 0.0  # when what is looked at now arrived
        self._key = wire.Key(beacon_key)
        self._hears, self._server = (LOOPBACK, hears), (LOOPBACK, port)
        self._beacons = self._bound(say)
        self._front = self._bound(0)
        self._back = self._bound(0)
        self._ends, self._end = socket.socketpair()
        self._end.settimeout(10.0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where the agent sends to."""
        return int(self._front.getsockname()[1])

    def hold(self, *kinds: str) -> None:
        """From now on datagrams of these types are not passed on, until `release`; the first of each is in `held`."""
        self.held.clear()
        self._hold = set(kinds)

    def holds(self, kind: str, seconds: float) -> bytes:
        """The datagram of that type that was held back, waited for."""
        return eventually(lambda: self.held.get(kind), seconds, f"a {kind} to hold back; seen {self.kinds()}") or b""

    def release(self, kind: str) -> None:
        """Pass on what was held back."""
        self._hold.discard(kind)
        datagram = self.held.pop(kind)
        to_server = next(each.to_server for each in reversed(self.seen) if each.datagram == datagram)
        self._pass_on(datagram, to_server)

    def to_agent(self, datagrams: Iterator[bytes] | list[bytes]) -> int:
        """Send the agent these, as if they came from its server; how many that were."""
        assert self.agent is not None
        count = 0
        for datagram in datagrams:
            self._front.sendto(datagram, self.agent)
            count += 1
            if count % SEND_AT_ONCE == 0:
                self.read_by_agent()
        self.read_by_agent()
        return count

    def settle(self) -> None:
        """Wait until the server has read whatever the agent has sent so far."""
        eventually(lambda: not waiting(self.port), 10.0, "the relay has read what was sent", poll=0.001)
        self._end.send(b"?")
        self._end.recv(1)  # the thread is through with what it had read
        eventually(lambda: not waiting(self._server[1]), 10.0, "the server has read what was sent", poll=0.001)

    def read_by_agent(self) -> None:
        """Wait until the agent has nothing left to read."""
        assert self.agent is not None
        port = self.agent[1]
        eventually(lambda: not waiting(port), 10.0, "the agent has read what was sent", poll=0.001)

    def kinds(self) -> dict[str, int]:
        """How many datagrams of each type passed here."""
        found: dict[str, int] = {}
        for each in list(self.seen):
            found[each.kind] = found.get(each.kind, 0) + 1
        return found

    def acknowledged(self) -> dict[str, int]:
        """Up to which number of each spool the server has told the agent that all is safe."""
        told: dict[str, int] = {}
        for each in list(self.seen):
            if each.kind == "ACK":
                ack = json.decode(each.datagram[wire.HEADER.size : -wire.TAG_SIZE])
                told[ack["s"]] = max(ack["n"], told.get(ack["s"], 0))
        return told

    def close(self) -> None:
        """End the thread and let go of the ports."""
        self._end.close()
        self._thread.join()
        for each in (self._beacons, self._front, self._back, self._ends):
            each.close()

    def _run(self) -> None:
        turns = {self._beacons: self._beacon, self._front: self._from_agent, self._back: self._from_server}
        while True:
            ready, _, _ = select.select([*turns, self._ends], [], [])
            if self._ends in ready:
                asked = self._ends.recv(1)
                if not asked:
                    return
                self._ends.send(asked)
                continue
            for each in ready:
                datagram, told, _, address = each.recvmsg(LARGEST, 64)
                seconds, nanoseconds = TIME.unpack(told[0][2])
                self._at = seconds + nanoseconds / 1e9
                turns[each](datagram, address)

    def _beacon(self, datagram: bytes, address: Address) -> None:
        """A beacon of the server, sealed anew with the port of this relay in it."""
        self._note(False, datagram)
        _, generation, session, number = wire.header(datagram)
        body = wire.parse(wire.authenticate(self._key, datagram))
        told = wire.dump({**body, "port": self.port})
        beacon = wire.seal(self._key, wire.BEACON, generation, session, number, told)
        self._front.sendto(beacon, self._hears)

    def _from_agent(self, datagram: bytes, address: Address) -> None:
        self.agent = address
        if self._note(True, datagram):
            self._pass_on(datagram, True)

    def _from_server(self, datagram: bytes, address: Address) -> None:
        if self._note(False, datagram):
            self._pass_on(datagram, False)

    def _note(self, to_server: bool, datagram: bytes) -> bool:
        """Keep a copy; whether it is to be passed on."""
        kind = wire.NAMES[wire.header(datagram)[0]]
        self.seen.append(Seen(to_server, kind, datagram, self._at))
        if kind not in self._hold:
            return True
        self.held.setdefault(kind, datagram)
        return False

    def _pass_on(self, datagram: bytes, to_server: bool) -> None:
        if to_server:
            self._back.sendto(datagram, self._server)
        elif self.agent is not None:
            with contextlib.suppress(ConnectionRefusedError):  # the agent is between two runs
                self._front.sendto(datagram, self.agent)

    @staticmethod
    def _bound(port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if port:  # the server hears its neighbours there, too; a port of any number could be that of another relay
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        made.setsockopt(socket.SOL_SOCKET, TIMES, 1)
        made.bind((LOOPBACK, port))
        return made
