"""A process that is many status pages: one listener for each behaviour, on every loopback address."""

import heapq
import json
import select
import socket
import sys
import time
from contextlib import suppress

SLOW = 0.3  # seconds until a slow page answers
BODY = json.dumps({"Application": "shop", "Version": "2", "Success_Count": 7}).encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
ANSWERS = {"ok": OK, "error": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "slow": OK, "hang": b""}


def main() -> None:
    """Print the ports, serve until stdin ends."""
    poll = select.epoll()
    doors: dict[int, tuple[socket.socket, str]] = {}
    for kind in ANSWERS:
        door = socket.create_server(("0.0.0.0", 0), backlog=8192)
        door.setblocking(False)
        doors[door.fileno()] = door, kind
        poll.register(door.fileno(), select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    print(json.dumps({kind: door.getsockname()[1] for door, kind in doors.values()}), flush=True)
    clients: dict[int, tuple[socket.socket, str]] = {}
    later: list[tuple[float, int, socket.socket]] = []  # not by number alone: another client may have it by then
    while True:
        wait = max(0.0, later[0][0] - time.monotonic()) if later else -1
        for number, _ in poll.poll(wait):
            if number == 0:
                return
            if number in doors:
                door, kind = doors[number]
                try:
                    while True:
                        client, _ = door.accept()
                        client.setblocking(False)
                        clients[client.fileno()] = client, kind
                        poll.register(client.fileno(), select.EPOLLIN)
                except BlockingIOError:
                    continue
            client, kind = clients[number]
            try:
                data = client.recv(65536)
            except OSError:
                data = b""
            if not data:
                del clients[number]
                client.close()
            elif kind == "slow":
                heapq.heappush(later, (time.monotonic() + SLOW, number, client))
            elif ANSWERS[kind]:
                _answer(client, ANSWERS[kind])
        while later and later[0][0] <= time.monotonic():
            _, _, client = heapq.heappop(later)
            if client.fileno() in clients:
                _answer(client, OK)


def _answer(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # who asked may be gone; that is heard when it is read from next
        client.send(data)


if __name__ == "__main__":
    sys.exit(main())
