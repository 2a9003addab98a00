"""The TLS door while somebody fills it: everybody else gets in."""

import re
import socket
import urllib.request

from msgspec import structs

from monitor436.services.door import EACH
from tests.e2e.patience import eventually
from tests.e2e.servers import SOON, Server, on_loopback
from tests.e2e.stage import Stage

GUEST = "127.0.0.2"  # who connects and says nothing
MORE = 20  # connections that are too many


class TlsDoorTests(Stage):
    def test_one_address_cannot_take_the_door_from_the_others(self) -> None:
        """What it has too much is closed without a handshake, and counted; a new host joins meanwhile."""
        settings = on_loopback()
        http = structs.replace(settings.http, without_token=("read",))
        server = self.server(structs.replace(settings, http=http)).start()
        place = (settings.plans.address, settings.plans.port)
        guests = [socket.create_connection(place, SOON, (GUEST, 0)) for _ in range(EACH + MORE)]
        for guest in guests:
            self.addCleanup(guest.close)
            guest.setblocking(False)
        eventually(lambda: sum(map(closed, guests)) == MORE, SOON, f"{MORE} of {len(guests)} are closed")
        self.joined(server, "web1")
        self.assertEqual(sum(map(closed, guests)), MORE)
        self._tells(server, EACH)
        self.assertNotIn("Quiet", server.output)
        for guest in guests:
            guest.close()
        self._tells(server, 0)

    def _tells(self, server: Server, now: int) -> None:
        """Wait until it says that so many are connected, and as many were refused as are too many."""
        wanted = {"connections": now, 'connections_ended_total{fate="refused"}': MORE}
        eventually(lambda: wanted.items() <= exposed(server).items(), SOON, f"{wanted}; {exposed(server)}")


def closed(guest: socket.socket) -> bool:
    """Whether the other side has closed it."""
    try:
        return not guest.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def exposed(server: Server) -> dict[str, float]:
    """What a server tells of its TLS door."""
    with urllib.request.urlopen(f"http://{server.settings.http.listen}/metrics", timeout=SOON) as page:
        found = re.findall(r"^monitor436_door_(\S+) (\S+)$", page.read().decode(), re.M)
    return {name: float(value) for name, value in found}
