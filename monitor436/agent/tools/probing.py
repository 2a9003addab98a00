"""What can be found out about the way to the servers, from this host: beacons, greetings, the TLS door.

Nothing here disturbs an agent that runs beside it: the port of beacons is shared, and a greeting that is not followed
by anything leaves a session as it is.
"""

import fcntl
import os
import select
import socket
import struct
import time
from collections import namedtuple

from monitor436.agent import wire
from monitor436.agent.identity import Identity, Packed
from monitor436.agent.link.door import DoorError, authorization, request
from monitor436.agent.link.joining import read_beacon
from monitor436.agent.tools.diagnosis import Heard, Knock
from monitor436.agent.tools.on_the_wire import OnTheWire

IP_PKTINFO = 8  # ip(7); the socket module of older Pythons does not name it
ENOUGH = 1.0  # seconds of listening after the first beacon of our site
GREETINGS = 3
GREETING_EVERY = 1.0  # seconds
DOOR = 4.0  # seconds for each step at the TLS door
SIOCGIFADDR, SIOCGIFNETMASK = 0x8915, 0x891B  # netdevice(7)

Interface = namedtuple("Interface", "name address bits")


def interfaces() -> "list[Interface]":
    """The interfaces that have an IPv4 address; where one has several, the first."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        for _, name in socket.if_nameindex():
            asked = struct.pack("256s", name.encode()[:15])
            try:
                address, mask = [fcntl.ioctl(asks, what, asked)[20:24] for what in (SIOCGIFADDR, SIOCGIFNETMASK)]
            except OSError:
                continue
            found.append(Interface(name, socket.inet_ntoa(address), bin(int.from_bytes(mask, "big")).count("1")))
    return found


def within(address: str, interface: Interface) -> bool:
    """Whether an address is in the network of an interface."""
    first, second = [int.from_bytes(socket.inet_aton(each), "big") for each in (address, interface.address)]
    return bool((first ^ second) >> (32 - interface.bits) == 0)


def listen(hears: socket.socket, port: int, key: bytes, seconds: float) -> "list[Heard]":
    """Who sends beacons: each sender once. Ends early when one of our site was heard."""
    hears.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    try:
        wire_tap = OnTheWire(port)  # type: OnTheWire | None
    except (OSError, AttributeError):
        wire_tap = None
    heard = {}  # type: dict[tuple[str, str], Heard]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        select.select([hears] + ([wire_tap.socket] if wire_tap else []), [], [], max(0.0, end - time.monotonic()))
        for each in _arrived(hears, key):
            if each.site == "ours":  # the first one counts: those that come later would end it later
                end = min(end, time.monotonic() + ENOUGH)
            heard[each.site, each.address] = each
        for body, address, interface in wire_tap.arrived() if wire_tap else []:
            found = _read(body, address, interface, key)._replace(seen=True)
            heard.setdefault((found.site, address), found)
    if wire_tap:
        wire_tap.close()
    return sorted(heard.values())


def _arrived(hears: socket.socket, key: bytes) -> "list[Heard]":
    found = []  # type: list[Heard]
    while True:
        try:
            body, ancillary, _, address = hears.recvmsg(2048, 64)
        except OSError:
            return found
        index = [struct.unpack("i", data[:4])[0] for level, kind, data in ancillary if kind == IP_PKTINFO]
        found.append(_read(body, str(address[0]), _name(index[0]) if index else "", key))


def _name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


def _read(datagram: bytes, address: str, interface: str, key: bytes) -> Heard:
    try:
        beacon = read_beacon(datagram, wire.Key(key))
        server, port, door = str(beacon.get("server", "")), int(str(beacon["port"])), int(str(beacon["door"]))
        return Heard("ours", address, interface, server, port, door, False)
    except wire.WireError as refused:
        site = "other" if refused.reason == "tag" else "none"
        return Heard(site, address, interface, "", 0, 0, False)


def no_way_to(address: str) -> str:
    """Why no way leads to an address; empty if one does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as looks:
        try:
            looks.connect((address, 9))  # sends nothing: only the route is looked up
            return ""
        except OSError as problem:
            return str(problem.strerror)


def greet(identity: Identity, address: "tuple[str, int]") -> Knock:
    """Greet a server as the agent does, and wait for its WELCOME."""
    key, nonce = wire.Key(wire.hello_key(identity.key)), os.urandom(16)
    greeting = wire.Greeting(wire.HELLO, identity.generation, 0, nonce, identity.serial, identity.name, b"{}")
    hello = wire.seal_greeting(key, greeting)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talks:
        for _ in range(GREETINGS):
            try:
                talks.sendto(hello, address)
            except OSError as problem:
                return Knock("unreachable", str(problem.strerror))
            end = time.monotonic() + GREETING_EVERY
            while time.monotonic() < end:
                if select.select([talks], [], [], max(0.0, end - time.monotonic()))[0]:
                    datagram, _ = talks.recvfrom(2048)
                    if _welcomes(datagram, key, nonce):
                        return Knock("taken", "")
    return _why_silent(hello, address, key, nonce)


def _welcomes(datagram: bytes, key: wire.Key, nonce: bytes) -> bool:
    try:
        wire.authenticate(key, datagram)
        answer = wire.open_greeting(datagram)
    except wire.WireError:
        return False
    return bool(answer.kind == wire.WELCOME and answer.nonce == nonce)


def _why_silent(hello: bytes, address: "tuple[str, int]", key: wire.Key, nonce: bytes) -> Knock:
    """What the network says, on a socket that is told: the greeting itself goes from one that is not.

    A server that was only late answers here, as it answers each greeting to where that came from.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talks:
        talks.settimeout(GREETING_EVERY)
        try:
            talks.connect(address)
            talks.send(hello)
            if _welcomes(talks.recv(2048), key, nonce):
                return Knock("taken", "")
        except ConnectionRefusedError:
            return Knock("closed", "nobody listens there")
        except socket.timeout:
            return Knock("silent", "")
        except OSError as problem:
            return Knock("unreachable", str(problem.strerror))
    return Knock("silent", "")


def knock(packed: Packed, identity: "Identity | None", door: "tuple[str, int]") -> Knock:
    """Ask at the TLS door for what changes nothing: with a key for the plan, with a join token for the agent file."""
    path = "/plan" if identity else "/agent436.pyz"
    authorized = "Bearer {}".format(packed.token)
    if identity:
        authorized = authorization(identity.name, identity.serial, identity.generation, identity.key, packed.pin, path)
    try:
        status, body = request(door[0], door[1], packed.pin, "GET", path, authorized, timeout=DOOR)
    except DoorError as problem:
        return _closed(problem)
    if status == 200:
        return Knock("taken", "")
    says = body.decode("utf-8", "replace").strip()[:200]
    return Knock("refused" if status in (401, 403) else "odd", says or "status {}".format(status))


def _closed(problem: DoorError) -> Knock:
    cause = problem.__context__
    if isinstance(cause, ConnectionRefusedError):
        return Knock("closed", "nobody listens there")
    if isinstance(cause, socket.timeout):
        return Knock("silent", "")
    if isinstance(cause, OSError) and cause.errno in (101, 113):
        return Knock("unreachable", str(cause.strerror))
    return Knock("odd" if cause is not None else "foreign", str(problem))
