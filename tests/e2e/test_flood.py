"""A host whose log runs wild, and one that comes and goes: the events file takes it at a pace, in the end all of it."""

import json
import os
import socket
import zipfile
from pathlib import Path

from msgspec import structs

from monitor436.agent import wire
from monitor436.agent.link.homing import Homing
from tests.e2e.patience import eventually
from tests.e2e.ports import LOOPBACK
from tests.e2e.servers import SOON, Server, calm
from tests.e2e.stage import Stage

# Events a second: so few that a host is as far ahead as it may be soon, also one that comes and goes, and also where
# others keep the disk busy. From the half on it has one datagram on its way, and each of them waits for the disk.
RATE = 5
LINES = 60 * RATE + 8 * RATE  # what is taken at once, and of eight seconds more
ANSWERED = 0.05  # seconds in which a greeting is answered on loopback
AT_ONCE = 50  # rounds between two looks at the events file
RESTARTS = 40  # stops and reboots after which a host flaps


class Restless:
    """Whoever has the agent file of one host: comes as another boot of it, beats, says goodbye, and again."""

    def __init__(self, file: Path, name: str, port: int) -> None:
        packed = json.loads(zipfile.ZipFile(file).read("packed.json"))
        self._key, self._serial = bytes.fromhex(packed["key"]), bytes.fromhex(packed["serial"])
        self._name = name
        self._server = LOOPBACK, port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(ANSWERED)
        self.close = self._socket.close
        self.rounds = self.refused = 0

    def go_round(self) -> None:
        """One round, or a greeting that nobody answers."""
        self.rounds += 1
        about: dict[str, object] = {"boot": f"{self.rounds:032x}", "version": "1", "spools": []}
        homing = Homing(self._name, self._serial, 0, self._key, lambda: about, os.urandom)
        homing.named("srv", self._server)
        ((hello, _),) = homing.greetings(0.0)
        self._socket.sendto(hello, self._server)
        try:
            while homing.servers["srv"].session is None:
                answer = self._socket.recv(wire.MAX_DATAGRAM)
                if answer[3] == wire.WELCOME:
                    welcomed = homing.welcome(wire.open_greeting(answer), answer, self._server, 0.0)
                    self.refused -= welcomed is None  # an earlier greeting was not refused: its answer only came late
        except TimeoutError:
            self.refused += 1
            return
        session = homing.servers["srv"].session
        for kind, body in (wire.BEAT, b'{"up":1}'), (wire.BYE, b"{}"):
            if session is not None:
                self._socket.sendto(session.seal(kind, body), self._server)


class FloodTests(Stage):
    def taking_few(self) -> Server:
        """A server that takes RATE events a second of one host."""
        settings = calm()
        agents = structs.replace(settings.agents, events_each=RATE)
        return self.server(structs.replace(settings, agents=agents)).start()

    def test_a_host_that_tells_too_much_is_named_and_waits(self) -> None:
        """Each line is told once in the end, in order; and nobody was called late."""
        server = self.taking_few()
        agent = self.joined(server, "web1")
        agent.write([f"line {number}" for number in range(LINES)])
        trouble = eventually(lambda: server.troubles("pace"), SOON, "the host is named")[0]
        self.assertEqual(trouble["fields"]["state"], "begun")
        self.assertIn("(web1)", trouble["text"])
        eventually(lambda: len(server.lines("web1")) >= LINES, 2 * SOON, "all lines are told")
        self.assertEqual(server.lines("web1"), [f"line {number}" for number in range(LINES)])
        self.assertEqual(server.events(kind="host_late"), [])
        self.complete(server)

    def test_a_host_that_comes_and_goes_is_named_and_told_of_once(self) -> None:
        """What it brings about is bounded as what it sends is; another host is heard as ever."""
        server = self.taking_few()
        agent = self.joined(server, "web1")
        file = self.folder / "web2.pyz"
        self.assertEqual(server.command("agent", "pack", "--host", "web2", "-o", str(file))[0], 0)
        restless = Restless(file, "web2", server.settings.agents.port)
        self.addCleanup(restless.close)

        def named() -> list[str]:
            for _ in range(AT_ONCE):
                restless.go_round()
            told = [event["text"] for event in server.troubles("pace")]
            return told if restless.refused > 0 else []  # it is named a little before it is refused

        (trouble,) = eventually(named, SOON, "the host is named, and refused")
        self.assertIn("(web2)", trouble)
        agent.write(["line of another host"])
        eventually(lambda: server.lines("web1"), SOON, "the other host's line is told")
        self.assertEqual(len(server.events(host="web2", kind="host_flapping")), 1)
        self.assertLess(len(server.events(host="web2")), 2 * RESTARTS)
        self.assertEqual(server.events(host="web1", kind="host_late"), [])
        self.complete(server)
