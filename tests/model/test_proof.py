"""The proof that nothing is missing or doubled, and messages read from anywhere."""

import unittest
from datetime import UTC, datetime
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from monitor436.agent import wire
from monitor436.agent.event import AGENT_STARTED, AGENT_STOPPED, LOST
from monitor436.agent.wire import WireError
from monitor436.model.audit.proof import Proof
from monitor436.model.event import SERVER_STARTED, TAKEN_OVER, Event
from monitor436.model.stream.messages import read_beat, read_events, read_hello, read_nothing


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

    def test_a_line_is_worth_more_than_the_word_that_it_is_elsewhere(self) -> None:
        """A server that has both has one too many words, and no event too many."""
        told = line(1, "@demo/x", kind=TAKEN_OVER, host="web1", fields={"spool": "a", "first": 1, "last": 2})
        self.assertEqual(self.flaws(line(1), told, line(3)), [])
        self.assertEqual(Proof().read([line(1), told, line(3)]).elsewhere, 1)

    def test_a_number_that_comes_late_is_out_of_order(self) -> None:
        """It is not missing, but a server takes only the next one."""
        self.assertEqual(self.flaws(line(1), line(3), line(2)), [("out of order", 2, 2)])

    def test_a_flaw_says_where_it_shows(self) -> None:
        """The line behind a gap, the second of two."""
        proof = Proof().read([line(1), b"torn\n", line(5), line(5)], "events.jsonl")
        self.assertEqual([(flaw.line, flaw.file) for flaw in proof.flaws], [(4, "events.jsonl"), (3, "events.jsonl")])

    def test_lines_that_are_none_are_counted(self) -> None:
        """Torn ones, and those without an id."""
        proof = Proof().read([b'{"time":"2026\n', b"\n", b"{}\n", line(1)])
        self.assertEqual((proof.unread, proof.lines, proof.flaws), (3, 1, []))


def own(number: int, server: str = "s1", kind: str = SERVER_STARTED, **fields: object) -> bytes:
    """A line that a server states itself: by such the files of a server are known."""
    return line(number, f"@{server}/x", kind=kind, **fields)


class SeveralFilesTests(unittest.TestCase):
    """Rotated files, and those of several servers."""

    def proof(self, *files: list[bytes], whole: bool = True) -> Proof:
        """What is known when these were read in this order."""
        proof = Proof(whole)
        for number, file in enumerate(files):
            proof.read(file, f"file {number}")
        return proof

    def what(self, proof: Proof) -> list[tuple[str, int, int]]:
        """The flaws without their places."""
        return [(flaw.what, flaw.first, flaw.last) for flaw in proof.flaws]

    def test_files_of_one_server_may_come_in_any_order(self) -> None:
        """By what is in them, not by name; also one in which the server says nothing itself."""
        files = [[own(1), line(1)], [line(2), line(3)], [line(4), own(2)]]
        for order in permutations(files):
            proof = self.proof(*order)
            self.assertEqual((self.what(proof), len(proof.servers), proof.events), ([], 1, 6))

    def test_a_number_in_two_files_of_one_server_is_doubled(self) -> None:
        """Marked or not."""
        self.assertEqual(self.what(self.proof([own(1), line(1)], [line(1, again=True), own(2)])), [("doubled", 1, 1)])

    def test_a_number_on_two_servers_must_be_marked_on_one(self) -> None:
        """So that whoever reads both knows."""
        first = [own(1), line(1), line(2)]
        marked = [own(1, "s2"), line(1, again=True), line(2, again=True)]
        proof = self.proof(first, marked)
        self.assertEqual((self.what(proof), len(proof.servers), proof.events), ([], 2, 4))
        bare = [own(1, "s2"), line(1, again=True), line(2)]
        self.assertEqual(self.what(self.proof(first, bare)), [("unmarked", 2, 2)])

    def test_what_one_server_says_is_elsewhere_is_looked_for_in_the_others(self) -> None:
        """What is not found is no flaw: its file may not have been given."""
        moved = {"spool": "a", "first": 1, "last": 3}
        second = [own(1, "s2"), own(2, "s2", TAKEN_OVER, host="web1", fields=moved), line(4)]
        alone, both = self.proof(second), self.proof(second, [own(1), line(1), line(2)])
        self.assertEqual((self.what(alone), alone.elsewhere), ([], 3))
        self.assertEqual((self.what(both), both.elsewhere), ([], 1))
        self.assertIn(("elsewhere", "web1/a", 3, 3), [gap[:4] for gap in both.gaps])

    def test_a_server_that_does_not_say_that_others_have_something_is_told(self) -> None:
        """What nobody has is missing."""
        proof = self.proof([own(1), line(1), line(2)], [own(1, "s2"), line(1, again=True), line(5)])
        self.assertEqual(self.what(proof), [("missing", 3, 4), ("untold", 2, 2)])

    def test_a_lost_range_counts_only_as_far_as_nobody_has_its_events(self) -> None:
        """The cause is told with the numbers that are really gone."""
        told = line(4, lost=3, kind=LOST, text="4 events were lost: the spool was full", fields={"count": 4})
        alone = self.proof([own(1), told])
        self.assertEqual((alone.lost, [gap[:4] for gap in alone.gaps][:1]), (4, [("lost", "web1/a", 1, 4)]))
        both = self.proof([own(1), told], [own(1, "s2"), line(1), line(2)])
        self.assertEqual((self.what(both), both.lost), ([], 2))
        self.assertEqual([gap[:4] for gap in both.gaps if gap.why == "lost"], [("lost", "web1/a", 3, 4)])
        self.assertIn("the spool was full", both.gaps[0].text)

    def test_without_the_first_files_numbers_may_begin_anywhere(self) -> None:
        """But not have gaps behind that."""
        self.assertEqual(self.what(self.proof([own(7), line(7), line(8)], whole=False)), [])
        self.assertEqual(self.what(self.proof([own(7), line(7), line(9)], whole=False)), [("missing", 8, 8)])

    def test_the_last_spool_of_a_host_is_open_until_its_agent_stops(self) -> None:
        """The ones before it are done with: a host sends one after the other."""
        early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
        runs = [line(1, kind=AGENT_STARTED, time=early), line(1, "web1/b", kind=AGENT_STARTED, time=late)]
        self.assertEqual([gap[:3] for gap in self.proof(runs).gaps], [("open", "web1/b", 2)])
        self.assertEqual(self.proof([*runs, line(2, "web1/b", kind=AGENT_STOPPED, time=late)]).gaps, [])

    def test_the_files_of_a_server_that_got_another_name_are_of_one(self) -> None:
        """A file in which both names stand ties them together."""
        proof = self.proof([own(1), line(1)], [own(2), own(1, "s9")], [line(2), own(2, "s9")])
        self.assertEqual((self.what(proof), len(proof.servers)), ([], 1))


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
