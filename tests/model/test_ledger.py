"""Which events are new."""

import random
import unittest
from datetime import UTC, datetime

from monitor436.model.event import Event
from monitor436.model.stream.ledger import Ledger
from monitor436.model.stream.messages import Events, Stated

SPOOL = "a" * 16
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def message(first: int, count: int, acknowledged: int = 0, lost: int = 0) -> Events:
    """Consecutive events; the first of them stands for `lost` numbers more."""
    events = [Stated(THEN, "info", "log_line", "x", lost=lost if not index else 0) for index in range(count)]
    return Events(SPOOL, first, acknowledged, events)


class LedgerTests(unittest.TestCase):
    """Only the next number is taken."""

    def test_the_next_ones_are_taken_once(self) -> None:
        """The same datagram again gives nothing."""
        ledger = Ledger()
        self.assertEqual(ledger.take("web1", message(1, 3)), (0, 3, None))
        self.assertIsNone(ledger.take("web1", message(1, 3)))
        self.assertEqual(ledger.take("web1", message(4, 1)), (0, 4, None))

    def test_what_comes_before_its_turn_waits_for_the_sender(self) -> None:
        """A gap is never taken."""
        self.assertIsNone(Ledger().take("web1", message(2, 3)))

    def test_of_an_overlap_the_new_part_is_taken(self) -> None:
        """From the right index on."""
        ledger = Ledger()
        ledger.take("web1", message(1, 3))
        self.assertEqual(ledger.take("web1", message(2, 4)), (2, 5, None))

    def test_numbers_that_another_server_has_need_not_come_here(self) -> None:
        """What is missing here is named, so that the file can say it."""
        ledger = Ledger()
        self.assertEqual(ledger.take("web1", message(501, 2, acknowledged=500)), (0, 502, (1, 500)))
        self.assertEqual(ledger.take("web1", message(503, 1, acknowledged=502)), (0, 503, None))

    def test_an_event_may_stand_for_lost_numbers(self) -> None:
        """They count as taken."""
        ledger = Ledger()
        ledger.take("web1", message(1, 1))
        self.assertEqual(ledger.take("web1", message(2, 2, lost=7)), (0, 10, None))

    def test_a_failed_write_is_forgotten_a_durable_one_is_not(self) -> None:
        """So the events are taken when they come again."""
        ledger = Ledger()
        ledger.take("web1", message(1, 2))
        ledger.wrote("web1", SPOOL, 2)
        ledger.take("web1", message(3, 2))
        ledger.forget_unwritten()
        self.assertEqual(ledger.take("web1", message(3, 2)), (0, 4, None))

    def test_lines_of_a_file_give_the_same_ledger(self) -> None:
        """Whatever their order; foreign ids do no harm."""
        ledger = Ledger()
        ids = [f"web1/{SPOOL}/2", f"web1/{SPOOL}/1", "", "x", "a/b/c", "web1//4", f"web1/{SPOOL}/-1", f"web1/{SPOOL}/²"]
        for id in ids:
            ledger.reread(Event(id=id))
        self.assertEqual(ledger.durable, {"web1": {SPOOL: 2}})

    def test_hosts_do_not_share_numbers(self) -> None:
        """A spool id belongs to one host."""
        ledger = Ledger()
        ledger.take("web1", message(1, 1))
        self.assertEqual(ledger.take("web2", message(1, 1)), (0, 1, None))

    def test_what_is_taken_is_every_number_once(self) -> None:
        """Messages of any kind by a seeded chance, against a set."""
        chance = random.Random(436)
        ledger, seen = Ledger(), set()  # type: ignore[var-annotated]
        for _ in range(5000):
            first, count = chance.randint(max(1, len(seen) - 10), len(seen) + 4), chance.randint(1, 8)
            taken = ledger.take("web1", message(first, count))
            if taken is not None:
                new = set(range(first + taken.start, first + count))
                self.assertFalse(new & seen)
                self.assertEqual(min(new), len(seen) + 1)
                seen |= new
        self.assertGreater(len(seen), 1000)
