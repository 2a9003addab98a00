"""A host is moved to another key of its site."""

import json
import os
import shutil
import tempfile
import unittest

from monitor436.agent import wire
from monitor436.agent.basis import known
from monitor436.agent.identity import Identity, Packed, State
from monitor436.agent.link.fetch import turn_of
from monitor436.agent.link.homing import Homing
from monitor436.agent.link.rekeying import Rekeying

BEFORE, AFTER, BEACON = b"b" * 32, b"a" * 32, b"c" * 32
ASKED = {"rekey": True, "within": 10.0}
PACKED = Packed("0" * 64, b"k" * 32, 4361, 4360, "", "", "web1", BEFORE, b"1" * 8, 0)


class Door:
    """Answers as it is told, at the second look."""

    def __init__(self) -> None:
        self.asked = []  # type: list[dict[str, object]]
        self.answer = (0, "nobody there")

    def __call__(self, asked: "dict[str, object]", now: float) -> "Door":
        self.asked.append(asked)
        self._looks = 0
        return self

    def poll(self, now: float) -> "tuple[int, str] | None":
        self._looks += 1
        return self.answer if self._looks > 1 else None


class RekeyingTests(unittest.TestCase):
    """One host that has greeted one server."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = State(self.folder)
        self.identity = Identity("web1", BEFORE, b"1" * 8, 0)
        self.homing = Homing("web1", b"1" * 8, 0, BEFORE, dict, os.urandom)
        self.homing.named("srv", ("10.0.0.1", 4360))
        self.server = self.homing.servers["srv"]
        self.greeted(BEFORE)
        self.door, self.moved, self.said = Door(), [], []  # type: ignore[var-annotated]
        self.rekeying = Rekeying(
            self.identity, "0" * 64, self.state.keep_identity, self.homing, self.take, self.said.append, self.door  # type: ignore[arg-type]
        )  # fmt: skip
        self.door.answer = 200, self.given()

    def greeted(self, secret: bytes) -> None:
        """The server has answered, under a key."""
        session = wire.Session(5, 0, wire.Key(secret), wire.Key(secret))
        self.server.welcomed(session, secret, self.server.address, 0.0)

    def given(self, **other: object) -> str:
        """What the door says."""
        answer = {"key": AFTER.hex(), "serial": "31" * 8, "generation": 0, "beacon_key": BEACON.hex()}
        return json.dumps(dict(answer, **other))

    def take(self, identity: Identity, now: float) -> None:
        """What the agent does: it uses what is kept."""
        self.assertEqual(self.state.identity(), identity)
        self.moved.append(identity)
        self.homing.rekey(identity.key, now)

    def run_at(self, now: float) -> None:
        """Two turns."""
        self.rekeying.turn(now)
        self.assertGreater(self.rekeying.due, now)
        if self.rekeying.due < float("inf"):
            self.rekeying.turn(now)

    def test_the_new_key_is_on_disk_before_it_is_used_and_then_the_server_is_greeted_anew(self) -> None:
        """The request proves the key before, at the door of the server that said so."""
        self.rekeying.told(self.server, ASKED, 100.0)
        self.assertEqual(self.rekeying.due, 100.0 + turn_of("web1", 10.0))
        self.run_at(self.rekeying.due)
        [asked] = self.door.asked
        self.assertEqual((asked["method"], asked["path"], asked["key"]), ("GET", "/key", BEFORE.hex()))
        self.assertEqual((asked["host"], asked["port"]), ("10.0.0.1", 4360))
        self.assertEqual(self.moved, [Identity("web1", AFTER, b"1" * 8, 0, BEACON)])
        self.assertEqual(self.server.greet_at, 0.0)
        self.assertEqual(self.rekeying.due, float("inf"))

    def test_it_is_asked_for_once_however_often_it_is_said(self) -> None:
        """And once it is there, another server that says so is only greeted."""
        for now in (1.0, 2.0, 3.0):
            self.rekeying.told(self.server, ASKED, now)
        self.assertEqual(self.rekeying.due, 1.0 + turn_of("web1", 10.0))
        self.run_at(20.0)
        self.server.greet_at = float("inf")
        self.rekeying.told(self.server, ASKED, 21.0)
        self.assertEqual((self.server.greet_at, self.rekeying.due), (0.0, float("inf")))
        self.server.greet_at = 22.0
        self.rekeying.told(self.server, ASKED, 21.5)
        self.assertEqual(self.server.greet_at, 22.0, "it was greeted already")
        self.assertEqual(len(self.door.asked), 1)

    def test_who_is_not_to_be_moved_asks_for_nothing(self) -> None:
        """Most answers say nothing about it."""
        for message in ({}, {"rekey": False}, {"plan": ""}):
            self.rekeying.told(self.server, message, 1.0)
        self.assertEqual(self.rekeying.due, float("inf"))

    def test_after_the_next_rotation_it_is_moved_again(self) -> None:
        """From the key it has by then."""
        self.rekeying.told(self.server, ASKED, 1.0)
        self.run_at(20.0)
        self.greeted(AFTER)
        self.door.answer = 200, self.given(key="dd" * 32)
        self.rekeying.told(self.server, ASKED, 30.0)
        self.run_at(50.0)
        self.assertEqual(self.door.asked[1]["key"], AFTER.hex())
        self.assertEqual(self.moved[-1].key, b"\xdd" * 32)

    def test_answers_that_do_not_do_change_nothing_and_it_is_tried_again_more_and_more_rarely(self) -> None:
        """Whatever the door says instead."""
        wrong = [
            (401, "no proof of a host's key"),
            (0, "nobody there"),
            (200, "{"),
            (200, "[]"),
            (200, self.given(key="zz")),
            (200, self.given(key="aa")),
            (200, self.given(serial="32" * 8)),
            (200, self.given(generation=1)),
            (200, "{}"),
        ]
        now = 100.0
        for number, self.door.answer in enumerate(wrong, 1):
            self.rekeying.told(self.server, ASKED, now)
            self.run_at(now + 10.0)
            self.assertEqual((len(self.door.asked), len(self.said)), (number, number))
            self.rekeying.told(self.server, ASKED, now + 10.5)
            self.assertEqual(self.rekeying.due, float("inf"), "too soon")
            now += 100.0
        self.assertEqual((self.moved, self.state.identity()), ([], None))

    def test_a_disk_that_refuses_leaves_the_key_before_in_use(self) -> None:
        """What is not kept is not used."""
        shutil.rmtree(self.folder)
        self.addCleanup(os.makedirs, self.folder)
        self.rekeying.told(self.server, ASKED, 1.0)
        self.run_at(20.0)
        self.assertEqual(self.moved, [])
        self.assertIn("No such file", self.said[0])


class KnownTests(unittest.TestCase):
    """Who a host is at its start."""

    def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.state = State(folder)

    def test_a_host_with_a_key_in_its_file_goes_on_with_the_one_it_was_moved_to(self) -> None:
        """Until another file comes, packed with another key."""
        packed = known(PACKED, self.state, "")
        assert packed is not None
        self.assertEqual(packed.key, BEFORE)
        self.state.keep_identity(packed._replace(key=AFTER, beacon_key=BEACON))
        moved = known(PACKED, self.state, "")
        assert moved is not None
        self.assertEqual((moved.key, moved.beacon_key), (AFTER, BEACON))
        newer = known(PACKED._replace(key=b"n" * 32), self.state, "")
        assert newer is not None
        self.assertEqual(newer.key, b"n" * 32)

    def test_what_was_kept_before_there_were_beacon_keys_is_still_read(self) -> None:
        """The key in the agent file counts then."""
        kept = {"name": "web1", "key": AFTER.hex(), "serial": "31" * 8, "generation": 0}
        self.state.write("identity.json", json.dumps(kept).encode())
        self.assertEqual(self.state.identity(), Identity("web1", AFTER, b"1" * 8, 0, b"", ""))
