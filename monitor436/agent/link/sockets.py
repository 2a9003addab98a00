"""The agent's two UDP sockets: one that hears beacons, shared by all agents of a machine, and one to talk from."""

import socket
import struct

BUFFER = 256 * 1024  # bytes of receive buffer: a burst of acknowledgements


def hearing(port: int, multicast: str) -> socket.socket:
    """Hears broadcast and multicast beacons on `port`. Raises OSError."""
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    heard.setblocking(False)
    heard.bind(("", port))
    if multicast:
        join_groups(heard, multicast)
    return heard


def join_groups(heard: socket.socket, multicast: str) -> None:
    """Join the group on every interface; again and again does no harm, and catches interfaces that came later."""
    for index, _ in socket.if_nameindex():
        member = struct.pack("=4s4si", socket.inet_aton(multicast), b"\0\0\0\0", index)  # ip(7), struct ip_mreqn
        try:
            heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        except OSError:
            continue  # joined already, or an interface without multicast


def talking() -> socket.socket:
    """Talks to servers, from a port of its own. Never connected: one ICMP refusal would be an error on it."""
    talks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talks.setblocking(False)
    talks.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    talks.bind(("", 0))
    return talks


def resolve(server: str, port: int) -> "tuple[str, int]":
    """The address of `HOST[:PORT]`. Raises OSError, ValueError."""
    host, _, given = server.partition(":")
    found = socket.getaddrinfo(host, int(given or port), socket.AF_INET, socket.SOCK_DGRAM)
    address = found[0][4]
    return str(address[0]), int(address[1])


def arrived(sock: socket.socket, most: int = 64) -> "list[tuple[bytes, tuple[str, int]]]":
    """The datagrams that wait, at most `most`."""
    datagrams = []  # type: list[tuple[bytes, tuple[str, int]]]
    while len(datagrams) < most:
        try:
            datagram, address = sock.recvfrom(2048)
        except OSError:  # nothing more, or an ICMP message about something sent earlier
            break
        datagrams.append((datagram, (str(address[0]), int(address[1]))))
    return datagrams
