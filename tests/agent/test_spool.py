"""Events on disk until acknowledged."""

import json
import os
import shutil
import tempfile
import unittest

from monitor436.agent import event as stated
from monitor436.agent.store import segment
from monitor436.agent.store import spool as module
from monitor436.agent.store.segment import encode
from monitor436.agent.store.spool import Spool


def event(text: str) -> "dict[str, object]":
    """An event that says `text`."""
    return stated.event(stated.LOG_LINE, "warning", text, 1.0)


def texts(taken: "list[tuple[str, int, int, bytes]]") -> "list[str]":
    """What the events say."""
    return [json.loads(raw.decode())["text"] for _, _, _, raw in taken]


class SpoolTests(unittest.TestCase):
    """One host's spool, over several runs."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.runs = 0

    def open(self, limit: int = module.LIMIT) -> Spool:
        """The next run of the agent."""
        self.runs += 1
        return Spool(self.folder, "{:016x}".format(self.runs), limit)

    def crashed(self, spool: Spool) -> None:
        """End a run without its goodbye."""
        os.close(spool._file)
        spool._reader.close()

    def files(self) -> "list[str]":
        return sorted(name for name in os.listdir(self.folder) if name.endswith(".jsonl"))

    def test_events_come_out_in_order_with_consecutive_numbers(self) -> None:
        """From 1, under the id of this run."""
        spool = self.open()
        spool.append([event("a"), event("b")], {})
        spool.append([event("c")], {})
        taken = spool.take(10)
        self.assertEqual(texts(taken), ["a", "b", "c"])
        self.assertEqual([(first, last) for _, first, last, _ in taken], [(1, 1), (2, 2), (3, 3)])
        self.assertEqual(spool.take(10), [])
        spool.close()

    def test_what_was_not_acknowledged_survives_a_crash_under_its_own_id(self) -> None:
        """New events have a new id, and come after it."""
        before = self.open()
        before.append([event("a"), event("b")], {"/log": [{"offset": 7}]})
        self.crashed(before)
        after = self.open()
        after.append([event("c")], {})
        self.assertEqual(after.kept, {"/log": [{"offset": 7}]})
        taken = after.take(10)
        self.assertEqual(texts(taken), ["a", "b", "c"])
        self.assertEqual([spool for spool, _, _, _ in taken], [before.id, before.id, after.id])
        self.assertEqual(after.live(), [before.id, after.id])
        after.close()

    def test_a_segment_that_could_neither_be_begun_nor_removed_is_begun_again(self) -> None:
        """As on a disk that turned read-only over an error: it must not stand in the way when that is over."""
        spool = self.open()
        spool.append([event("a")], {"/log": 1})
        with open(os.path.join(self.folder, "00000002-{}.jsonl".format(spool.id)), "w") as left:
            left.write('{"spool": "half of a first line, and longer than the whole one will be' + "x" * 500)
        spool._begin_segment()
        spool.append([event("b")], {"/log": 2})
        self.crashed(spool)
        after = self.open()
        self.assertEqual((texts(after.take(10)), after.kept), (["a", "b"], {"/log": 2}))
        after.close()

    def test_a_torn_record_is_absent_and_its_position_with_it(self) -> None:
        """Cut at every byte: the records before it are whole, and the torn one gives neither event nor position."""
        spool = self.open()
        spool.append([event("a")], {"/log": 1})
        path = os.path.join(self.folder, self.files()[0])
        whole = os.path.getsize(path)
        spool.append([event("b")], {"/log": 2})
        self.crashed(spool)
        with open(path, "rb") as file:
            content = file.read()
        for size in range(whole, len(content)):
            for name in self.files():
                os.unlink(os.path.join(self.folder, name))
            with open(path, "wb") as file:
                file.write(content[:size])
            after = self.open()
            self.assertEqual(texts(after.take(10)), ["a"])
            self.assertEqual(after.kept, {"/log": 1})
            self.crashed(after)

    def test_what_is_acknowledged_leaves_the_disk(self) -> None:
        """A segment of an earlier run goes when its last event is acknowledged."""
        before = self.open()
        before.append([event("a"), event("b")], {})
        self.crashed(before)
        after = self.open()
        self.assertEqual(len(self.files()), 2)
        after.take(10)
        after.acknowledge(before.id, 1)
        self.assertEqual(len(self.files()), 2)
        after.acknowledge(before.id, 2)
        self.assertEqual(len(self.files()), 1)
        self.assertEqual(after.live(), [after.id])
        after.close()

    def test_segments_are_bounded_and_positions_are_in_each(self) -> None:
        """So that old ones can go, and the last one alone tells where to read on."""
        spool = self.open()
        for number in range(300):
            spool.append([event("x" * 400)] * 10, {"/log": number})
        self.assertGreater(len(self.files()), 1)
        spool.take(3000)
        spool.acknowledge(spool.id, 3000)
        self.assertEqual(len(self.files()), 1)
        self.crashed(spool)
        after = self.open()
        self.assertEqual(after.kept, {"/log": 299})
        self.assertEqual(after.take(10), [])
        after.close()

    def test_a_disk_that_fails_leaves_no_half_record(self) -> None:
        """What is written next stands where the failed one would have been."""
        spool = self.open()
        spool.append([event("a")], {})
        real, spool._file = spool._file, os.open("/dev/full", os.O_WRONLY)
        with self.assertRaises(OSError):
            spool.append([event("b")], {"/log": 9})
        os.close(spool._file)
        spool._file = real
        self.assertEqual(spool.kept, {})
        spool.append([event("c")], {})
        self.assertEqual(
            [(first, text) for (_, first, _, _), text in zip(spool.take(9), ["a", "c"])], [(1, "a"), (2, "c")]
        )
        spool.close()

    def test_an_event_always_fits_a_datagram(self) -> None:
        """Even if every character of it is escaped."""
        fields = {"f{}".format(number): "\x01" * 60 for number in range(9)}
        wild = stated.event(stated.LOG_LINE, "info", "\x00" * 5000, 1.0, "\x02" * 64, fields, ("t" * 16,) * 6)
        self.assertLessEqual(len(encode(wild)), segment.MAX_RECORD)
        self.assertEqual(json.loads(encode(wild).decode())["kind"], stated.LOG_LINE)
