"""The TLS door while strangers fill it, or send it what is no request: everybody else gets in."""

import re
import socket
import ssl
import time
import urllib.request
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Event, Thread
from typing import Any

import pytest
from msgspec import structs

from monitor436.services.door import CONNECTIONS, EACH
from tests.e2e.patience import eventually
from tests.e2e.servers import SOON, calm
from tests.e2e.stage import Stage

GUESTS = [f"127.0.0.{number}" for number in range(2, 2 + CONNECTIONS // EACH)]  # who connect and say nothing
MORE = 10  # connections of each that are too many
TURN = 0.05  # seconds
AT_ONCE = 15.0  # seconds in which a host joins and has its plan: one, where the machine has nothing else to do


class Siege(Thread):
    """Connects from each of GUESTS more often than one address may, says nothing, and comes again when it is cut."""

    def __init__(self, place: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._selector = DefaultSelector()
        self._over = Event()

    def run(self) -> None:
        for guest in GUESTS * (EACH + MORE):
            self._come(guest)
        while not self._over.wait(TURN):
            for key, _ in self._selector.select(0):
                self._leave(key.fileobj)
                self._come(key.data)
        for key in list(self._selector.get_map().values()):
            self._leave(key.fileobj)
        self._selector.close()

    def end(self) -> None:
        """They all leave."""
        self._over.set()
        self.join(SOON)

    def _come(self, address: str) -> None:
        guest = socket.socket()
        guest.setblocking(False)
        guest.bind((address, 0))
        guest.connect_ex(self._place)
        self._selector.register(guest, EVENT_READ, address)

    def _leave(self, guest: Any) -> None:
        self._selector.unregister(guest)
        guest.close()


class TlsDoorTests(Stage):
    def setUp(self) -> None:
        super().setUp()
        settings = calm()
        http = structs.replace(settings.http, without_token=("read",))
        self.running = self.server(structs.replace(settings, http=http)).start()
        self.place = (settings.plans.address, settings.plans.port)

    @pytest.mark.alone
    def test_a_new_host_joins_while_others_hold_the_door(self) -> None:
        """From as many addresses as it takes; it is they who are ended, and when they leave nothing is left of them."""
        siege = Siege(self.place)
        siege.start()
        self.addCleanup(siege.end)
        full = len(GUESTS) * EACH
        eventually(lambda: self._tells()["connections"] == full, SOON, f"{full} are connected")
        began = time.monotonic()
        self.joined(self.running, "web1")
        self.assertLess(time.monotonic() - began, AT_ONCE)
        told = self._tells()
        self.assertGreater(told['connections_ended_total{fate="displaced"}'], 0, told)
        self.assertGreater(told['connections_ended_total{fate="refused"}'], 0, told)
        siege.end()
        eventually(lambda: self._tells()["connections"] == 0, SOON, "all have left")
        self.assertNotIn(GUESTS[0], self.running.output)

    def test_what_is_no_request_leaves_no_word_in_the_log(self) -> None:
        """Nor does what comes after the answer to it."""
        before = len(self.running.output)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for sent in (b"\r\n" * 100, b"garbage\r\n\r\n", b"garbage\r\n\r\n\r\n"):
            with socket.create_connection(self.place, SOON) as guest, context.wrap_socket(guest) as talk:
                talk.sendall(sent)
                self.assertTrue(talk.recv(100).startswith(b"HTTP/1.1 400 "))
                with suppress(OSError):
                    talk.sendall(b"\r\n")
                    talk.sendall(sent)
        eventually(lambda: self._tells()["connections"] == 0, SOON, "all have left")
        self.assertNotRegex(self.running.output[before:], r"Bounded|127\.0\.0\.")

    def _tells(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://{self.running.settings.http.listen}/metrics", timeout=SOON) as page:
            found = re.findall(r"^monitor436_door_(\S+) (\S+)$", page.read().decode(), re.M)
        return {name: float(value) for name, value in found}
