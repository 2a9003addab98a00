"""What reaches the interfaces of this host, before its firewall and its routing have a say. For root only."""

import array
import socket
import struct

SO_ATTACH_FILTER = 26
ETH_P_IP = 0x0800
OUTGOING = 4  # PACKET_OUTGOING, packet(7)
HEADER = 8  # bytes of a UDP header


class OnTheWire:
    """UDP datagrams over IPv4 to one port, as they come in. Raises OSError where that is not permitted."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.socket.setblocking(False)
        _only_to(self.socket, port)

    def arrived(self) -> "list[tuple[bytes, str, str]]":
        """(body, address of the sender, interface) of those that wait."""
        found = []  # type: list[tuple[bytes, str, str]]
        while True:
            try:
                packet, link = self.socket.recvfrom(65536)
            except OSError:
                return found
            start = (packet[0] & 15) * 4 + HEADER if packet else 0
            if len(packet) >= start >= 20 + HEADER and link[2] != OUTGOING:
                found.append((packet[start:], socket.inet_ntoa(packet[12:16]), str(link[0])))

    def close(self) -> None:
        """Listen no longer."""
        self.socket.close()


def _only_to(sock: socket.socket, port: int) -> None:
    """Let the kernel drop everything else; a classic BPF program, see bpf(4) and linux/filter.h."""
    program = [
        (0x30, 0, 0, 9),  # ldb [9]: the protocol
        (0x15, 0, 6, 17),  # jeq UDP, or drop
        (0x28, 0, 0, 6),  # ldh [6]: which fragment
        (0x45, 4, 0, 0x1FFF),  # jset: not the first one, drop
        (0xB1, 0, 0, 0),  # ldxb 4 * ([0] & 15): where UDP begins
        (0x48, 0, 0, 2),  # ldh [x + 2]: the port it is sent to
        (0x15, 0, 1, port),  # jeq, or drop
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]
    code = array.array("B", b"".join(struct.pack("HBBI", *step) for step in program))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), code.buffer_info()[0]))
