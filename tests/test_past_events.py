"""Events files read after the fact, and the file of what operators decide."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor436.acts import Act, Acts
from monitor436.model.event import Event
from monitor436.past_events import CHUNK, PastEvents
from monitor436.services.event_log import lines


class PastEventsTests(unittest.TestCase):
    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "events.jsonl"

    def write(self, path: Path, numbers: range, text: str = "x") -> None:
        """Events with these numbers."""
        path.write_bytes(lines([Event(kind="log_line", text=text, id=f"web1/ab/{number}") for number in numbers]))

    def after(self, id: str) -> list[str]:
        """The ids of what came after an event."""
        past = PastEvents(self.path)
        return [event.id for event, _ in past.after(past.place(id))]

    def test_what_came_after_an_event_is_found_over_rotation(self) -> None:
        """In whichever of the files it is."""
        self.write(Path(f"{self.path}.20260101T000000"), range(1, 4))
        self.write(Path(f"{self.path}.20260102T000000"), range(4, 7))
        self.write(self.path, range(7, 9))
        self.assertEqual(self.after("web1/ab/2"), [f"web1/ab/{number}" for number in range(3, 9)])
        self.assertEqual(self.after("web1/ab/6"), ["web1/ab/7", "web1/ab/8"])
        self.assertEqual(self.after("web1/ab/8"), [])

    def test_an_event_that_is_gone_has_no_place(self) -> None:
        """Then everything is read."""
        self.write(self.path, range(1, 4))
        self.assertIsNone(PastEvents(self.path).place("web1/ab/9"))
        self.assertIsNone(PastEvents(self.path).place(""))
        self.assertEqual(len(self.after("web1/ab/9")), 3)

    def test_a_large_file_is_searched_from_its_end_wherever_the_line_stands(self) -> None:
        """Over the borders of what is looked at together."""
        numbers = range(1, 3 * CHUNK // 950)
        self.write(self.path, numbers, "y" * 930)
        self.assertGreater(self.path.stat().st_size, 3 * CHUNK)
        for number in [*range(1, len(numbers), 97), *range(1000, 1200)]:
            place = PastEvents(self.path).place(f"web1/ab/{number}")
            assert place is not None
            self.assertEqual(
                self.path.read_bytes()[place[1] :][:3000].count(f'"id":"web1/ab/{number + 1}"'.encode()),
                number < len(numbers),
            )

    def test_an_id_in_the_fields_of_another_event_is_not_taken_for_it(self) -> None:
        """Hosts may say anything."""
        liar = Event(kind="reported", fields={"id": "web1/ab/1"}, id="evil/cd/1")
        self.path.write_bytes(lines([Event(kind="log_line", id="web1/ab/1"), liar]))
        self.assertEqual(self.after("web1/ab/1"), ["evil/cd/1"])

    def test_torn_lines_and_what_is_being_written_are_passed_over(self) -> None:
        """The place is that of whole events."""
        self.write(self.path, range(1, 3))
        with open(self.path, "ab") as file:
            file.write(b'{"severity":"in\n' + lines([Event(kind="log_line", id="web1/ab/3")]) + b'{"half')
        self.assertEqual(self.after("web1/ab/1"), ["web1/ab/2", "web1/ab/3"])

    def test_no_file_is_no_event(self) -> None:
        """Before the first start."""
        self.assertEqual(self.after("x"), [])


class ActsTests(unittest.TestCase):
    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "acts.jsonl"

    def add(self, *names: str) -> None:
        """Acts by other processes."""
        for name in names:
            Acts(self.path).add(Act(name, "acknowledged", 1.0, "ann", "web1", text="x"))

    def ids(self, acts: list[Act]) -> list[str]:
        """Their names."""
        return [act.id for act in acts]

    def test_every_act_is_read_once(self) -> None:
        """In their order."""
        acts = Acts(self.path)
        self.assertEqual(acts.read(), [])
        self.add("a", "b")
        self.assertEqual(self.ids(acts.read()), ["a", "b"])
        self.assertEqual(acts.read(), [])
        self.add("c")
        self.assertEqual(self.ids(acts.read("a")), ["c"])

    def test_a_server_that_starts_goes_on_after_the_last_one_that_became_an_event(self) -> None:
        """Those that were decided meanwhile are new."""
        self.add("a", "b", "c")
        self.assertEqual(self.ids(Acts(self.path).read("b")), ["c"])
        self.assertEqual(self.ids(Acts(self.path).read("gone")), ["a", "b", "c"])

    def test_half_a_line_waits_and_a_torn_one_is_passed_over(self) -> None:
        """The next act begins a line of its own."""
        self.add("a")
        with open(self.path, "ab") as file:
            file.write(b'{"id":"b","ki')
        acts = Acts(self.path)
        self.assertEqual(self.ids(acts.read()), ["a"])
        self.add("c")
        self.assertEqual(self.ids(acts.read()), ["c"])
