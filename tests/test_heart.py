"""A host that only beats, and the command that makes one of a machine."""

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from monitor436.agent import wire
from monitor436.agent.identity import Identity
from monitor436.cli import main
from monitor436.cli.beating import Beacons
from monitor436.heart import Heart
from monitor436.packer import pack

SITE = b"s" * 32
SERVER = ("10.0.0.1", 4360)


class Server:
    """The other end, which answers greetings and counts what else it hears."""

    def __init__(self, heart: Heart, identity: Identity) -> None:
        self.heart = heart
        self._secret = identity.key
        self._key = wire.Key(wire.hello_key(identity.key))
        self.session: wire.Session | None = None

    def welcomes(self, hello: bytes, now: float) -> list[int]:
        """Answer a greeting; the types of what the heart says then."""
        greeting = wire.open_greeting(hello)
        wire.authenticate(self._key, hello)
        to_server, to_agent = wire.session_keys(self._secret, greeting.nonce, b"n" * 16)
        self.session = wire.Session(7, 0, wire.Key(to_agent), wire.Key(to_server))
        body = wire.dump({"server": "srv", "boot": "b", "nonce": (b"n" * 16).hex(), "plan": "", "have": {}})
        answer = wire.seal_greeting(self._key, greeting._replace(kind=wire.WELCOME, session=7, body=body))
        return self.hears(self.heart.takes(answer, SERVER, now))

    def says(self, kind: int, now: float, body: bytes = b"{}") -> list[int]:
        """Send something; the types of the answers."""
        assert self.session is not None
        return self.hears(self.heart.takes(self.session.seal(kind, body), SERVER, now))

    def hears(self, sent: list[tuple[bytes, tuple[str, int]]]) -> list[int]:
        """The types of what the heart sent, each opened."""
        assert self.session is not None
        headers = [(wire.header(datagram), datagram, address) for datagram, address in sent]
        for header, datagram, address in headers:
            assert address == SERVER
            if header[0] != wire.HELLO:
                self.session.open(datagram, header[3])
        return [header[0] for header, _, _ in headers]


class HeartTests(unittest.TestCase):
    """Every 5 s."""

    def setUp(self) -> None:
        identity = Identity("web1", wire.host_key(SITE, "web1", b"1" * 8, 0), b"1" * 8, 0)
        seed = iter(range(1000))
        self.heart = Heart(identity, 5.0, "boot", lambda: 42, lambda size: next(seed).to_bytes(size, "big"))
        self.heart.homing.named("srv", SERVER)
        self.server = Server(self.heart, identity)
        ((hello, _),) = self.heart.turn(0.0)
        self.assertEqual(self.server.welcomes(hello, 0.1), [wire.BEAT])

    def test_it_beats_when_it_is_time_and_makes_up_for_nothing(self) -> None:
        """A machine that slept for a minute beats once."""
        self.assertEqual(self.heart.turn(4.9), [])
        self.assertEqual(self.server.hears(self.heart.turn(5.0)), [wire.BEAT])
        self.server.says(wire.BEATACK, 5.1)
        self.assertEqual(self.heart.due, 10.0)
        self.assertEqual(self.server.hears(self.heart.turn(70.0)), [wire.BEAT])
        self.server.says(wire.BEATACK, 70.1)
        self.assertEqual(self.heart.turn(70.5), [])
        self.assertGreaterEqual(self.heart.due, 72.5)

    def test_it_answers_questions_and_is_told_of_plans_in_vain(self) -> None:
        """There is none that it would follow."""
        self.assertEqual(self.server.says(wire.PING, 1.0), [wire.PONG])
        self.assertEqual(self.server.says(wire.RESET, 1.0, b'{"plan":"%s"}' % (b"d" * 64)), [wire.RESETACK])
        self.assertEqual(self.server.says(wire.ACK, 1.0), [])

    def test_without_answers_it_greets_anew_and_answers_in_the_old_session_meanwhile(self) -> None:
        """Until the greeting is answered."""
        for now in (5.0, 10.0):
            self.assertEqual(self.server.hears(self.heart.turn(now)), [wire.BEAT])
        ((hello, _),) = self.heart.turn(15.0)
        self.assertEqual(wire.header(hello)[0], wire.HELLO)
        self.assertFalse(self.heart.greeted)
        self.assertEqual(self.server.says(wire.PING, 15.1), [wire.PONG])
        self.assertEqual(self.server.says(wire.BEATACK, 15.2), [])
        old = self.server.session
        self.server.welcomes(hello, 15.3)
        self.assertTrue(self.heart.greeted)
        assert old is not None
        self.assertEqual(self.heart.takes(old.seal(wire.PING, b"{}"), SERVER, 15.4), [])

    def test_what_is_not_for_it_is_counted(self) -> None:
        """And gets no answer."""
        forged = wire.seal(wire.Key(b"x" * 32), wire.PING, 0, 7, 99, b"{}")
        for datagram in (b"", forged, wire.seal(wire.Key(b"x" * 32), wire.PING, 0, 8, 1, b"{}")):
            self.assertEqual(self.heart.takes(datagram, SERVER, 1.0), [])
        self.assertEqual(self.heart.refused, {"size": 1, "tag": 1, "session": 1})

    def test_it_says_goodbye(self) -> None:
        """To whoever knows it."""
        self.assertEqual(self.server.hears(self.heart.goodbye()), [wire.BYE])

    def test_a_beacon_of_its_server_makes_it_greet_and_no_other_does(self) -> None:
        """Another server of the site, another site, another boot of its own."""
        key = wire.beacon_key(SITE)
        beacons = Beacons(key, SERVER)
        mine = {"server": "srv", "boot": "b2", "port": 4360, "door": 4360}
        for beacon, secret, source in (
            (mine, key, "10.0.0.2"),
            (mine, b"k" * 32, "10.0.0.1"),
            ({**mine, "port": 4999}, key, "10.0.0.1"),
        ):
            sealed = wire.seal(wire.Key(secret), wire.BEACON, 0, 0, 1, wire.dump(beacon))
            beacons.heard(self.heart, sealed, (source, 5555), 1.0)
            self.assertEqual((self.heart.turn(1.0), len(self.heart.homing.servers)), ([], 1))
        beacons.heard(self.heart, wire.seal(wire.Key(key), wire.BEACON, 0, 0, 1, wire.dump(mine)), ("10.0.0.1", 5), 1.0)
        self.assertEqual(self.server.hears(self.heart.turn(1.0)), [wire.HELLO])


class BeatCommandTests(unittest.TestCase):
    """`monitor436 beat`, where it ends at once."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def call(self, *words: object) -> Result:
        """Run it."""
        result = CliRunner().invoke(main, ["beat", *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def file(self, **packed: Any) -> Path:
        """An agent file."""
        blank = dict.fromkeys(("pin", "beacon_key", "multicast", "token", "name", "key", "serial"), "")
        path = self.folder / "agent436.pyz"
        path.write_bytes(pack({**blank, "beacon_port": 4361, "port": 4360, "generation": 0, **packed}))
        return path

    def test_a_wrong_command_line_is_told(self) -> None:
        """With status 2, and how it should be."""
        for words, told in (
            (["--as", self.file()], "--to"),
            (["--to", "127.0.0.1"], "--as"),
            (["--to", "127.0.0.1", "--as", self.folder / "none"], "does not exist"),
            (["--to", "127.0.0.1", "--as", self.file(), "--every", "5"], '"30s"'),
            (["--to", "127.0.0.1", "--as", self.file(), "--every", "2h"], "100ms to 1h"),
            (["--to", "127.0.0.1:99999", "--as", self.file()], "a port being 1 to 65535, got"),
            (["--to", "127.0.0.1:x", "--as", self.file()], "a port being 1 to 65535, got"),
            (["--to", ":4360", "--as", self.file()], "expected HOST or HOST:PORT"),
        ):
            result = self.call(*words)
            self.assertEqual(result.exit_code, 2, result.output)
            self.assertIn(told, result.output)

    def test_what_is_no_agent_file_is_told(self) -> None:
        """With status 1."""
        path = self.folder / "x"
        path.write_text("hello")
        result = self.call("--to", "127.0.0.1", "--as", path)
        self.assertEqual((result.exit_code, "is not an agent file" in result.output), (1, True), result.output)

    def test_a_server_that_is_not_found_is_named(self) -> None:
        """A label of more than 63 letters is looked up nowhere."""
        name = "a" * 64 + ".invalid"
        result = self.call("--to", name, "--as", self.file())
        self.assertEqual((result.exit_code, result.output[: len(name) + 8]), (1, f"Error: {name}:"))

    def test_a_key_is_for_one_name(self) -> None:
        """Nothing is sent under another one."""
        file = self.file(name="web1", key="00" * 32, serial="01" * 8)
        result = self.call("--to", "127.0.0.1:9", "--as", file, "--name", "web2")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("is for web1, not for web2", result.output)

    def test_a_name_that_cannot_be_one_is_told_before_anything_is_asked(self) -> None:
        """As the agent does it."""
        result = self.call("--to", "127.0.0.1:9", "--as", self.file(), "--name", "Web 1", "--state", self.folder / "s")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("cannot be a host's name", result.output)
