"""Thousands of hosts with status pages, in one process: every loopback address is one, and its second number says how
it behaves. `python -m tests.e2e.loopback_fleet [CERTIFICATE KEY]` prints its port and serves until its input ends.
"""

import asyncio
import json
import ssl
import sys
from typing import Any

COUNTS = ("Success_Count", "Request_Count", "Error_Count")
VERSIONS = ("1.9.0", "1.10.0", "2.0.0")
OK, BROKEN, HANGING, DRIPPING, SLOW, CLOSING, HUGE, ELSEWHERE, LOCKED, FICKLE, RAW = range(1, 12)
SLOWNESS = 0.3  # seconds a slow one takes, which is in time
SECRET = "Bearer 4711"
BODIES = (
    b"[1, 2]",
    b"<html>",
    b"{}",
    b'{"Application": "a", "Version": "1", "Request_Count": 10, "Error_Count": 0}',
    b'{"Application": "a", "Version": "1", "Request_Count": 10, "Error_Count": 0, "Success_Count": "9"}',
    b'{"Application": "a", "Version": "1", "Request_Count": 10, "Error_Count": 0, "Success_Count": 20}',
)  # of RAW hosts, by their number


def address(kind: int, number: int) -> str:
    """A host that behaves so."""
    return f"127.{kind}.{number // 250}.{number % 250 + 1}"


def told(number: int) -> dict[str, Any]:
    """What host number so says."""
    asked, failed = 1000 + number * 7919 % 1000, number * 104729 % (20 if number % 3 else 10)
    return {
        "Application": ("shop", "auth")[number % 2],
        "Version": VERSIONS[number % 3],
        "Uptime": number * 31,
        "Request_Count": asked,
        "Error_Count": failed,
        "Success_Count": asked - failed,
        "queue": {"depth": number % 17},
    }


def answer(status: str, body: bytes, *fields: str) -> bytes:
    """Whole."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""])
    return head.encode() + body


class Fleet:
    """Behaves as each address says."""

    def __init__(self) -> None:
        self.visits: dict[str, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            here = writer.get_extra_info("sockname")[0]
            while request := await reader.readuntil(b"\r\n\r\n"):
                if not await self.behave(here, request.decode("latin-1"), writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def behave(self, here: str, request: str, writer: asyncio.StreamWriter) -> bool:
        """Answer one request, or do not; whether the connection goes on."""
        _, kind, high, low = map(int, here.split("."))
        number = high * 250 + low - 1
        body = json.dumps(told(number)).encode()
        self.visits[here] = self.visits.get(here, 0) + 1
        if kind == HANGING:
            await asyncio.sleep(3600)
        elif kind == DRIPPING:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3600\r\n\r\n")
            for _ in range(3600):
                writer.write(b" ")
                await asyncio.sleep(0.1)
        elif kind == HUGE:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(64):
                writer.write(b" " * (1 << 20))
                await writer.drain()
        if kind in (HANGING, DRIPPING, HUGE, CLOSING):
            return False
        if kind == SLOW:
            await asyncio.sleep(SLOWNESS)
        locked = kind == LOCKED and f"authorization: {SECRET}".lower() not in request.lower()
        whole = {
            BROKEN: answer("503 Service Unavailable", b"{}"),
            ELSEWHERE: answer("302 Found", b"", "Location: http://127.0.0.1:22/"),
            RAW: answer("200 OK", BODIES[number % len(BODIES)]),
        }.get(kind, answer("200 OK", body))
        if locked or (kind == FICKLE and self.visits[here] > 1):
            whole = answer("401 Unauthorized" if locked else "500 Internal Server Error", b"")
        writer.write(whole)
        return True


async def main(*certificate: str) -> None:
    """Serve until standard input ends."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    server = await asyncio.start_server(Fleet().serve, "0.0.0.0", 0, backlog=4096, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
