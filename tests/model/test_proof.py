"""The proof that nothing is missing or doubled, and messages read from anywhere."""

import unittest

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from monitor436.agent import wire
from monitor436.agent.wire import WireError
from monitor436.model.event import TAKEN_OVER, Event
from monitor436.model.messages import read_beat, read_events, read_hello, read_nothing
from monitor436.model.proof import Proof


def line(number: int, spool: str = "web1/a", **fields: object) -> bytes:
    """A line of the events file."""
    return json.encode(Event(id=f"{spool}/{number}", **fields)) + b"\n"  # type: ignore[arg-type]


class ProofTests(unittest.TestCase):
    """Every number of every spool once."""

    def flaws(self, *lines: bytes) -> list[tuple[str, int, int]]:
        return [(flaw.what, flaw.first, flaw.last) for flaw in Proof().read(lines).flaws]

    def test_consecutive_numbers_are_complete(self) -> None:
        """Spools may be mixed."""
        self.assertEqual(self.flaws(line(1), line(1, "web2/b"), line(2), line(2, "web2/b")), [])

    def test_a_gap_is_named_exactly(self) -> None:
        """Also one at the start."""
        self.assertEqual(self.flaws(line(1), line(5)), [("missing", 2, 4)])
        self.assertEqual(self.flaws(line(3)), [("missing", 1, 2)])

    def test_a_doubled_number_is_named(self) -> None:
        """Wherever it stands again."""
        self.assertEqual(self.flaws(line(1), line(2), line(1)), [("doubled", 1, 1)])

    def test_a_lost_range_covers_its_numbers(self) -> None:
        """And no more than those."""
        self.assertEqual(self.flaws(line(1), line(5, lost=3)), [])
        self.assertEqual(self.flaws(line(1), line(5, lost=2)), [("missing", 2, 2)])
        self.assertEqual(self.flaws(line(1), line(5, lost=4)), [("doubled", 1, 1)])

    def test_what_another_server_has_is_no_gap(self) -> None:
        """If this server said so; a host cannot."""
        fields = {"spool": "a", "first": 1, "last": 7}
        told = line(1, "@demo/x", kind=TAKEN_OVER, host="web1", fields=fields)
        self.assertEqual(self.flaws(told, line(8)), [])
        forged = line(1, "web2/x", kind=TAKEN_OVER, host="web1", fields=fields)
        self.assertEqual(self.flaws(forged, line(8)), [("missing", 1, 7)])

    def test_lines_that_are_none_are_counted(self) -> None:
        """Torn ones, and those without an id."""
        proof = Proof().read([b'{"time":"2026\n', b"\n", b"{}\n", line(1)])
        self.assertEqual((proof.unread, proof.lines, proof.flaws), (3, 1, []))


class ReaderTests(unittest.TestCase):
    """Bodies of datagrams, whatever they hold."""

    @given(st.binary(max_size=300))
    def test_any_bytes_are_a_message_or_refused(self, body: bytes) -> None:
        """Never anything else."""
        for read in (read_hello, read_beat, read_events, read_nothing):
            try:
                read(body)
            except WireError as refused:
                self.assertEqual(refused.reason, "body")

    @given(
        st.recursive(
            st.none() | st.floats() | st.text() | st.integers(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["s", "n", "a", "e", "up", "at", "text", "kind", "fields"]), inner)
            ),
        )
    )
    def test_any_json_is_a_message_or_refused(self, tree: object) -> None:
        """Depth and types of any kind."""
        body = json.encode(tree)
        for read in (read_hello, read_beat, read_events):
            try:
                read(body)
            except WireError as refused:
                self.assertEqual(refused.reason, "body")

    def test_depth_is_no_weapon(self) -> None:
        """Not even in a key that nobody knows: it is refused where the interpreter's stack ends, or passed over."""
        for depth in (1, 500, 5000, 500_000):
            try:
                self.assertEqual(read_beat(b'{"up":1,"x":' + b"[" * depth + b"]" * depth + b"}").up, 1)
            except WireError as refused:
                self.assertEqual((refused.reason, depth > 500), ("body", True))

    @given(st.binary(max_size=1300))
    def test_any_datagram_has_a_header_or_is_refused(self, datagram: bytes) -> None:
        """Also as a greeting."""
        for read in (wire.header, wire.open_greeting):
            try:
                read(datagram)
            except WireError as refused:
                self.assertIn(refused.reason, wire.REASONS)

    @given(st.binary(max_size=600))
    def test_any_body_of_a_server_is_an_object_or_refused(self, body: bytes) -> None:
        """As agents read it."""
        try:
            self.assertIsInstance(wire.parse(body), dict)
        except WireError as refused:
            self.assertEqual(refused.reason, "body")
