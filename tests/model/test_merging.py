"""One stream out of the files of several servers."""

import random
import unittest
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from monitor436.agent.event import LOG_LINE, LOST
from monitor436.model.audit.merging import Merging, compared
from monitor436.model.audit.proof import Proof
from monitor436.model.event import SERVER_STARTED, TAKEN_OVER, Event, read_line

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
File = list[bytes]


def encoded(event: Event) -> bytes:
    """A line of a file."""
    return json.encode(event) + b"\n"


def stated(number: int, at: float, again: bool = False, spool: str = "web1/a", text: str = "") -> bytes:
    """An event of a host that a server had `at` seconds after noon."""
    text = text or f"event {number}"
    received = NOON + timedelta(seconds=at)
    return encoded(
        Event(NOON, "info", "web1", LOG_LINE, text=text, received=received, id=f"{spool}/{number}", again=again)
    )


def lost(number: int, covers: int, at: float, count: int = 0) -> bytes:
    """An event that says that the numbers before its own, and perhaps its own, are lost."""
    count = count or covers + 1
    text, received = f"{count} events were lost: the spool was full", NOON + timedelta(seconds=at)
    fields: dict[str, str | int | float | bool] = {"count": count}
    event = Event(NOON, "critical", "web1", LOST, "", text, fields, received=received, id=f"web1/a/{number}")
    return encoded(Event(*(getattr(event, name) for name in event.__struct_fields__[:10]), lost=covers))


def started(server: str, at: float = 0.0) -> bytes:
    """The first event of a server."""
    return encoded(Event(NOON + timedelta(seconds=at), kind=SERVER_STARTED, id=f"@{server}/x/1"))


def taken_over(server: str, first: int, last: int, at: float) -> bytes:
    """What a server says of numbers that another one has."""
    fields: dict[str, str | int | float | bool] = {"spool": "a", "first": first, "last": last}
    when = NOON + timedelta(seconds=at)
    return encoded(Event(when, host="web1", kind=TAKEN_OVER, fields=fields, id=f"@{server}/x/2"))


class MergingTests(unittest.TestCase):
    """Files are lists of lines here."""

    def merged(self, *files: File) -> tuple[list[Event], Proof, Merging]:
        """The stream, what is known of the files, and the merging."""
        proof = Proof()
        for number, file in enumerate(files):
            proof.read(file, f"file {number}")
        merging = Merging(proof)
        return [read_line(line) for line in merging.merged(files)], proof, merging

    def ids(self, *files: File) -> list[str]:
        """The ids of hosts in the stream, without the name of their spool."""
        return [each.id.rpartition("/")[2] for each in self.merged(*files)[0] if each.id.startswith("web1/a")]

    def test_an_event_that_two_servers_have_comes_once(self) -> None:
        """The copy that was there first."""
        one = [started("s1"), stated(1, 1), stated(2, 2), stated(3, 3)]
        other = [started("s2"), taken_over("s2", 1, 1, 4), *(stated(each, 4, again=each < 4) for each in (2, 3, 4))]
        events, proof, _ = self.merged(one, other)
        self.assertEqual(self.ids(one, other), ["1", "2", "3", "4"])
        self.assertEqual([event.again for event in events], [False] * 7)
        self.assertEqual((len(events), proof.flaws), (proof.events, []))

    def test_the_stream_is_in_the_order_in_which_servers_had_the_events(self) -> None:
        """Not in that of the files given."""
        one = [started("s1"), stated(1, 5), stated(2, 20)]
        other = [started("s2", 1), stated(1, 6, spool="web2/b"), stated(2, 7, spool="web2/b")]
        for files in ((one, other), (other, one)):
            events, _, _ = self.merged(*files)
            stamps = [event.received or event.time for event in events]
            self.assertEqual(stamps, sorted(stamps))  # type: ignore[type-var]

    def test_numbers_rise_although_the_clocks_of_servers_differ(self) -> None:
        """What comes too early waits."""
        ahead = [started("s1"), stated(1, 100), stated(2, 101)]
        behind = [started("s2"), taken_over("s2", 1, 2, 1), stated(3, 2), stated(4, 3)]
        _, _, merging = self.merged(ahead, behind)
        self.assertEqual(self.ids(ahead, behind), ["1", "2", "3", "4"])
        self.assertGreaterEqual(merging.most_waiting, 0)

    def test_a_line_beats_the_word_that_it_is_lost(self) -> None:
        """An acknowledgement was lost, and then the spool was full; whoever has all has no loss."""
        one = [started("s1"), *(stated(number, number) for number in range(1, 6))]
        other = [started("s2"), taken_over("s2", 1, 2, 8), lost(5, 2, 9)]
        events, proof, _ = self.merged(one, other)
        self.assertEqual(self.ids(one, other), ["1", "2", "3", "4", "5"])
        self.assertEqual([event.kind for event in events].count(LOST), 0)
        self.assertEqual((proof.lost, proof.flaws), (0, []))

    def test_what_is_left_of_a_loss_is_told(self) -> None:
        """In as many parts as there are gaps, none of which covers a line."""
        one = [started("s1"), stated(1, 1), stated(2, 2), stated(3, 3)]
        other = [started("s2"), taken_over("s2", 1, 1, 8), lost(6, 4, 9), stated(7, 10)]
        one.insert(3, b"torn")
        events, proof, _ = self.merged(one, other)
        found = [event for event in events if event.kind == LOST]
        self.assertEqual([(event.id, event.lost, event.fields) for event in found], [("web1/a/6", 2, {"count": 3})])
        self.assertEqual(proof.lost, 3)
        again = Proof().read([encoded(event) for event in events])
        self.assertEqual((again.flaws, again.lost, again.events), ([], 3, proof.events))

    def test_the_same_loss_told_to_two_servers_is_told_once(self) -> None:
        """And it covers the same numbers."""
        files = [[started("s1"), lost(4, 3, 1)], [started("s2"), lost(4, 3, 2), stated(5, 3)]]
        self.assertEqual(self.ids(*files), ["4", "5"])

    def test_the_same_id_with_another_content_is_a_contradiction(self) -> None:
        """The first one stays; when it came and whether it is marked is no content."""
        one = [started("s1"), stated(1, 1), stated(2, 2)]
        other = [started("s2"), stated(1, 3, again=True), stated(2, 4, again=True, text="forged")]
        events, proof, _ = self.merged(one, other)
        self.assertEqual([event.text for event in events if event.host], ["event 1", "event 2"])
        self.assertEqual([flaw[:5] for flaw in proof.flaws], [("differs", "web1/a", 2, 2, 3)])
        proof = Proof().read(one, "one").read(other, "other")
        compared(proof, [one, other])
        self.assertEqual([flaw.what for flaw in proof.flaws], ["differs"])

    def test_a_file_that_grew_meanwhile_is_merged_as_it_is(self) -> None:
        """And one that shrank leaves nobody waiting for ever."""
        one, other = [started("s1"), stated(1, 1)], [started("s2"), taken_over("s2", 1, 1, 1), stated(2, 2)]
        proof = Proof().read(one).read(other)
        later = [read_line(each).id for each in Merging(proof).merged([[*one, stated(2, 9)], [*other, stated(3, 3)]])]
        self.assertEqual(later, ["@s1/x/1", "@s2/x/1", "web1/a/1", "@s2/x/2", "web1/a/2", "web1/a/3"])
        less = [read_line(each).id for each in Merging(proof).merged([one[:1], other])]
        self.assertEqual(less, ["@s1/x/1", "@s2/x/1", "@s2/x/2", "web1/a/2"])

    @given(st.integers(0, 10_000))
    def test_whatever_way_hosts_moved_each_event_comes_once_and_in_order(self, seed: int) -> None:
        """Three servers, four hosts; some acknowledgements are lost before a move; files are rotated and shuffled."""
        dice = random.Random(seed)
        named, truth = site(dice)
        dice.shuffle(named)
        files = [file for _, file in named]
        proof = Proof()
        for name, file in named:
            proof.read(file, name)
        merging = Merging(proof)
        events = [read_line(line) for line in merging.merged(files)]
        self.assertEqual(proof.flaws, [])
        found: dict[str, list[int]] = {}
        for event in events:
            spool, _, number = event.id.rpartition("/")
            found.setdefault(spool, []).append(int(number))
        hosts = {spool: numbers for spool, numbers in found.items() if not spool.startswith("@")}
        self.assertEqual(hosts, truth)
        self.assertTrue(all(numbers == sorted(set(numbers)) for numbers in found.values()))
        self.assertEqual((len(events), merging.written), (proof.events, proof.events))
        again = Proof().read([encoded(event) for event in events])
        self.assertEqual((again.flaws, again.events, again.elsewhere), ([], proof.events, proof.elsewhere))


def site(dice: random.Random) -> tuple[list[tuple[str, File]], dict[str, list[int]]]:
    """The files of three servers that four hosts used in turn, by name, and the numbers that there are of each."""
    servers = {name: [started(name)] for name in ("s1", "s2", "s3")}
    own, at = dict.fromkeys(servers, 1), 0.0
    known: dict[tuple[str, str], int] = {}  # up to where a server has a spool or knows that another one does
    sent = dict.fromkeys(["h1/a", "h2/b", "h3/c", "h4/d"], 0)  # to any server
    acknowledged = dict.fromkeys(sent, 0)
    for _ in range(dice.randrange(40)):
        spool, name = dice.choice(list(sent)), dice.choice(list(servers))
        at += dice.random()
        before = known.get((name, spool), 0)
        if acknowledged[spool] > before:
            own[name] += 1
            fields: dict[str, str | int | float | bool] = {"spool": spool[3:], "last": acknowledged[spool]}
            fields["first"] = before + 1
            event = Event(NOON + timedelta(seconds=at), host=spool[:2], kind=TAKEN_OVER, fields=fields)
            parts = [getattr(event, key) for key in event.__struct_fields__[:9]]
            servers[name].append(encoded(Event(*parts, id=f"@{name}/x/{own[name]}")))
            before = acknowledged[spool]
        last = before + dice.randrange(1, 6)
        for number in range(before + 1, last + 1):
            servers[name].append(stated(number, at, again=number <= sent[spool], spool=spool))
        known[name, spool] = last
        sent[spool] = max(sent[spool], last)
        if dice.random() < 0.6:
            acknowledged[spool] = max(acknowledged[spool], last)
    files = []
    for name, lines in servers.items():
        cut = dice.randrange(len(lines) + 1)
        parts = {f"{name}/events.jsonl.20260101T120000": lines[:cut], f"{name}/events.jsonl": lines[cut:]}
        files += [(file, part) for file, part in parts.items() if part]
    return files, {spool: list(range(1, last + 1)) for spool, last in sent.items() if last}
