"""docs/protocol.md and the code: what it shows, byte by byte, is what both sides make and open."""

import hashlib
import hmac
import json
import os
import re
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from monitor436.agent import plan, wire
from monitor436.agent.link.homing import Homing
from monitor436.agent.link.joining import read_beacon
from monitor436.agent.link.outbox import Parcel
from monitor436.agent.store.segment import encode
from monitor436.agent.store.spool import Spool
from monitor436.agent.tail.follow import Follower
from monitor436.model.keys.sessions import Sessions
from monitor436.model.keys.site_keys import mark
from monitor436.model.settings.whole import Settings
from monitor436.model.stream.messages import read_beat, read_events, read_hello, read_nothing
from monitor436.site import Site, packed_serial

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "protocol.md"
AGENT, SERVER = ("192.0.2.11", 40000), ("192.0.2.10", 4360)
GREETINGS = ("HELLO", "WELCOME")
FROM_AGENTS = ("HELLO", "BEAT", "EVENTS", "RESETACK", "PONG", "BYE")

_GOLDEN = re.compile(r"^#### ([A-Z]+)\n+`(\w+)`, number (\d+)\n+```json\n(.*?)\n```\n+```hex\n(.*?)\n```$", re.M | re.S)
_VALUE = re.compile(r"^\| `([^`|]+)` \| `([0-9a-f]+)` \|", re.M)


class Golden(NamedTuple):
    """A datagram of the document: its type, the key it is tagged under, its number and body, and all of its bytes."""

    kind: int
    key: str
    number: int
    body: bytes
    datagram: bytes


def read_document() -> tuple[dict[str, Golden], dict[str, bytes]]:
    """The datagrams by type, and the values of the tables of fixed inputs and derived keys by name."""
    text = DOCUMENT.read_text("utf-8")
    kinds = {name: kind for kind, name in wire.NAMES.items()}
    goldens = {
        name: Golden(kinds[name], key, int(number), body.encode(), bytes.fromhex(hexes))
        for name, key, number, body, hexes in _GOLDEN.findall(text)
    }
    return goldens, {name: bytes.fromhex(hexes) for name, hexes in _VALUE.findall(text)}


def block(heading: str, language: str) -> str:
    """The first block of `language` after a heading of the document."""
    _, _, after = DOCUMENT.read_text("utf-8").partition(f"# {heading}\n")
    found = re.search(rf"```{language}\n(.*?\n)```", after, re.S)
    assert found, f"no {language} block under {heading}"
    return found[1]


GOLDENS, VALUES = read_document()


def greeting(name: str) -> wire.Greeting:
    """The HELLO or WELCOME of the document, in parts."""
    golden = GOLDENS[name]
    session = 0 if name == "HELLO" else int.from_bytes(VALUES["session"], "big")
    return wire.Greeting(golden.kind, 0, session, VALUES["agent nonce"], VALUES["serial"], "web1", golden.body)


def a_host() -> Homing:
    """The host of the document, which has just greeted the server."""
    about = json.loads(GOLDENS["HELLO"].body)
    host = Homing("web1", VALUES["serial"], 0, VALUES["K_host"], lambda: about, lambda n: VALUES["agent nonce"][:n])
    host.named("srv", SERVER)
    return host


def a_server() -> Sessions:
    """The server of the document; the numbers it draws are those of the document."""
    drawn = {16: VALUES["server nonce"], 8: VALUES["session"]}
    return Sessions(VALUES["site.key"], drawn.__getitem__)


class Receivers:
    """Both ends of the document's session, up to the point where its datagrams are opened."""

    def __init__(self) -> None:
        self.host, self.server = a_host(), a_server()
        self.host.greetings(0.0)
        self.beacon_key = wire.Key(VALUES["K_beacon"])

    def receive(self, name: str) -> Callable[[bytes], bytes]:
        """How the end that a type of datagram is for opens it: its body, or WireError."""
        return self.server_opens if name in FROM_AGENTS else self.host_opens

    def server_opens(self, datagram: bytes) -> bytes:
        """As the doorway of the server does."""
        header = wire.header(datagram)
        if header[0] != wire.HELLO:
            return bytes(self.server.open(header, datagram, AGENT)[1])
        heard = wire.open_greeting(datagram)
        self.server.authenticate(heard, datagram)
        self.server.greet(heard, read_hello(heard.body), AGENT)
        return bytes(heard.body)

    def host_opens(self, datagram: bytes) -> bytes:
        """As the loop of the agent does, with its two sockets."""
        header = wire.header(datagram)
        if header[0] == wire.BEACON:
            return wire.dump(read_beacon(datagram, self.beacon_key))
        if header[0] == wire.WELCOME:
            heard = wire.open_greeting(datagram)
            self.host.welcome(heard, datagram, SERVER, 0.0)
            return bytes(heard.body)
        return self.host.open(header, datagram, 0.0)[1]


class KeyTests(unittest.TestCase):
    """The derivations, against the document and against the standard library's HMAC."""

    def test_the_keys_of_the_document_are_those_that_the_code_derives(self) -> None:
        """From the site key down to one session."""
        v = VALUES
        self.assertEqual(wire.beacon_key(v["site.key"]), v["K_beacon"])
        self.assertEqual(wire.host_key(v["site.key"], "web1", v["serial"], 0), v["K_host"])
        self.assertEqual(wire.hello_key(v["K_host"]), v["K_hello"])
        session = wire.session_keys(v["K_host"], v["agent nonce"], v["server nonce"])
        self.assertEqual(session, (v["K_a2s"], v["K_s2a"]))
        self.assertEqual(mark(v["site.key"]), v["mark"].hex())
        self.assertEqual(packed_serial(v["pin"], "web1"), v["packed serial"])

    def test_they_are_plain_hmac_sha_256(self) -> None:
        """As the document writes them, computed without any code of ours."""

        def derived(key: str, text: bytes) -> bytes:
            return hmac.new(VALUES[key], text, hashlib.sha256).digest()

        nonces = VALUES["agent nonce"] + VALUES["server nonce"]
        self.assertEqual(derived("site.key", b"m436/1 beacon"), VALUES["K_beacon"])
        host = b"m436/1 host\0web1\0" + VALUES["serial"] + b"\x000"
        self.assertEqual(derived("site.key", host), VALUES["K_host"])
        self.assertEqual(derived("K_host", b"m436/1 hello"), VALUES["K_hello"])
        self.assertEqual(derived("K_host", b"m436/1 a2s" + nonces), VALUES["K_a2s"])
        self.assertEqual(derived("K_host", b"m436/1 s2a" + nonces), VALUES["K_s2a"])
        self.assertEqual(derived("site.key", b"m436/1 mark")[:4], VALUES["mark"])
        self.assertEqual(derived("pin", b"m436/1 packed serial\0web1")[:8], VALUES["packed serial"])

    def test_the_tag_is_the_start_of_a_plain_hmac_over_what_stands_before_it(self) -> None:
        """In each datagram of the document."""
        for name, golden in GOLDENS.items():
            whole = hmac.new(VALUES[golden.key], golden.datagram[:-16], hashlib.sha256).digest()
            self.assertEqual(golden.datagram[-16:], whole[:16], name)

    def test_the_proof_at_the_door_is_that_of_the_document(self) -> None:
        """The whole Authorization header."""
        words = block("Authorization", "text").split()
        scheme, name, serial, generation, nonce, proof = words[1:]
        self.assertEqual((words[0], scheme, name), ("Authorization:", "M436", "web1"))
        self.assertEqual((bytes.fromhex(serial), generation), (VALUES["serial"], "0"))
        self.assertEqual(wire.door_proof(VALUES["K_host"], VALUES["pin"].hex(), nonce, "/plan"), proof)
        text = "\0".join(["m436/1 door", VALUES["pin"].hex(), nonce, "/plan"]).encode()
        self.assertEqual(hmac.new(VALUES["K_host"], text, hashlib.sha256).hexdigest(), proof)

    def test_a_server_of_the_site_takes_the_join_token_of_the_document_until_it_expires(self) -> None:
        """It needs nothing but the site key."""
        token = block("Join tokens", "text").strip()
        expires = float(token.partition(".")[0])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "site.key")
            path.write_bytes(VALUES["site.key"])
            path.chmod(0o600)
            site = Site(Path(folder))
            self.assertTrue(site.good(token, expires - 1))
            self.assertFalse(site.good(token, expires))
            self.assertFalse(site.good(token.replace("9", "8"), 0))
            self.assertEqual(
                site.token(expires - Settings().plans.token_expires, Settings().plans.token_expires), token
            )


class DatagramTests(unittest.TestCase):
    """The twelve datagrams of the document."""

    def test_every_type_is_shown(self) -> None:
        """A new type needs its golden datagram."""
        self.assertEqual(set(GOLDENS), set(wire.NAMES.values()))

    def test_each_is_sealed_the_same(self) -> None:
        """From key, number and body."""
        session = int.from_bytes(VALUES["session"], "big")
        for name, golden in GOLDENS.items():
            key = wire.Key(VALUES[golden.key])
            if name in GREETINGS:
                sealed = wire.seal_greeting(key, greeting(name))
            else:
                sealed = wire.seal(key, golden.kind, 0, 0 if name == "BEACON" else session, golden.number, golden.body)
            self.assertEqual(sealed.hex(), golden.datagram.hex(), name)

    def test_each_is_opened_by_the_end_it_is_for(self) -> None:
        """In the order of the document, which is one conversation."""
        receivers = Receivers()
        for name, golden in GOLDENS.items():
            body = receivers.receive(name)(golden.datagram)
            self.assertEqual(json.loads(body), json.loads(golden.body), name)

    def test_a_greeted_host_and_server_agree_on_what_they_send(self) -> None:
        """The sessions that the two greetings make number and tag as the document does."""
        host, server = a_host(), a_server()
        hello = host.greetings(0.0)[0][0]
        self.assertEqual(hello.hex(), GOLDENS["HELLO"].datagram.hex())
        heard = wire.open_greeting(hello)
        session = server.greet(heard, read_hello(heard.body), AGENT).wire
        welcome = GOLDENS["WELCOME"].datagram
        there, _ = host.welcome(wire.open_greeting(welcome), welcome, SERVER, 0.0) or self.fail("no answer to it")
        self.assertIs(host.home, there)
        ends = {"K_a2s": there.session, "K_s2a": session}
        for name, golden in GOLDENS.items():
            end = ends.get(golden.key)
            if end is not None:
                self.assertEqual(end.seal(golden.kind, golden.body).hex(), golden.datagram.hex(), name)

    def test_bodies_of_agents_are_what_the_server_reads(self) -> None:
        """Typed, with nothing left out."""
        hello = read_hello(GOLDENS["HELLO"].body)
        said = json.loads(GOLDENS["HELLO"].body)
        self.assertEqual((hello.boot, hello.up, hello.version), (said["boot"], said["up"], said["version"]))
        self.assertEqual((hello.plan, hello.spools), (said["plan"], said["spools"]))
        beat = read_beat(GOLDENS["BEAT"].body)
        self.assertEqual({"up": beat.up, "fill": beat.fill, "plan": beat.plan}, json.loads(GOLDENS["BEAT"].body))
        said = json.loads(GOLDENS["EVENTS"].body)
        events = read_events(GOLDENS["EVENTS"].body)
        self.assertEqual([each.kind for each in events.e], ["lost", "log_line"])
        self.assertEqual((events.n, events.a, events.r), (said["n"], said["a"], said["r"]))
        for name in ("RESETACK", "PONG", "BYE"):
            read_nothing(GOLDENS[name].body)

    def test_an_outbox_packs_the_events_of_the_document_like_that(self) -> None:
        """Spool, first number, acknowledged number, number that may be elsewhere, events."""
        said = json.loads(GOLDENS["EVENTS"].body)
        parcel = Parcel(said["s"], said["n"])
        last = said["n"] - 1
        for event in said["e"]:
            last += 1 + event.get("lost", 0)
            parcel.add(last, encode(event))
        self.assertEqual(parcel.body(said["a"], said["r"]), GOLDENS["EVENTS"].body)

    def test_no_welcome_is_longer_than_the_greeting_it_answers(self) -> None:
        """So a replayed greeting is worth nothing to somebody who wants others flooded."""
        self.assertEqual(len(GOLDENS["HELLO"].datagram), wire.HELLO_SIZE)
        self.assertLessEqual(len(GOLDENS["WELCOME"].datagram), wire.HELLO_SIZE)


class FlippedBitTests(unittest.TestCase):
    """One bit changed anywhere in any of them."""

    def test_it_is_refused_and_harms_nothing(self) -> None:
        """The untouched datagram is still good afterwards, and good only once."""
        receivers = Receivers()
        tried = 0
        for name, golden in GOLDENS.items():
            receive = receivers.receive(name)
            for at in range(len(golden.datagram)):
                for bit in range(8):
                    flipped = bytearray(golden.datagram)
                    flipped[at] ^= 1 << bit
                    with self.assertRaises(wire.WireError, msg=f"{name}, bit {bit} of byte {at}"):
                        receive(bytes(flipped))
                    tried += 1
            receive(golden.datagram)
            if golden.key in ("K_a2s", "K_s2a"):
                with self.assertRaises(wire.WireError) as refused:
                    receive(golden.datagram)
                self.assertEqual(refused.exception.reason, "replay", name)
        self.assertEqual(tried, 8 * sum(len(golden.datagram) for golden in GOLDENS.values()))

    def test_no_key_of_another_host_or_direction_opens_it(self) -> None:
        """Each of the document's keys but the one it names."""
        for name, golden in GOLDENS.items():
            for other in ("K_beacon", "K_host", "K_hello", "K_a2s", "K_s2a"):
                if other != golden.key:
                    with self.assertRaises(wire.WireError, msg=f"{name} under {other}"):
                        wire.authenticate(wire.Key(VALUES[other]), golden.datagram)


class RecordTests(unittest.TestCase):
    """What an agent writes to its disk, and the plan it fetches."""

    def test_a_spool_writes_the_segment_of_the_document(self) -> None:
        """Its header, a record with an event and a position, a record with a position alone."""
        header, *records = block("The spool", "json").splitlines()
        spool_id = json.loads(header)["spool"]
        with tempfile.TemporaryDirectory() as folder:
            spool = Spool(folder, spool_id)
            for record in map(json.loads, records):
                spool.append(record["e"], record["p"])
            spool.close()
            written = Path(folder, f"00000001-{spool_id}.jsonl").read_text("utf-8")
            self.assertEqual(written.splitlines(), [header, *records])
            self.assertEqual(sorted(os.listdir(folder)), sorted([f"00000001-{spool_id}.jsonl", "acknowledged"]))

    def test_a_log_that_is_followed_gives_the_positions_of_the_document(self) -> None:
        """After its first line, and after its second; where the file lies on the disk is another matter."""
        shown = [json.loads(record)["p"]["/var/log/app.log"] for record in block("The spool", "json").splitlines()[1:]]
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "app.log")
            followed = Follower(str(log))
            for line, position in zip(("ERROR disk on fire\n", "all is well\n"), shown, strict=True):
                with open(log, "a") as file:
                    file.write(line)
                _, here = followed.read()
                there = os.stat(log)
                mine = dict(position[1], device=there.st_dev, inode=there.st_ino)
                if "generation" in here[1]:  # not every file system tells it
                    mine["generation"] = here[1]["generation"]
                else:
                    del mine["generation"]
                nothing_before, followed_now = here
                self.assertEqual(list(nothing_before.items()), list(position[0].items()))
                self.assertEqual(list(followed_now.items()), list(mine.items()))
            followed.close()

    def test_the_plan_of_the_document_is_canonical_and_has_that_digest(self) -> None:
        """Reading it and writing it again changes nothing."""
        written = block("Plans", "json").strip().encode()
        self.assertEqual(plan.dump(plan.read(json.loads(written))), written)
        digest = block("Plans", "text").strip()
        self.assertEqual(plan.digest(written), digest)
        self.assertEqual(hashlib.sha256(written).hexdigest(), digest)
