"""What a report gives to workers, and what they bring home."""

import unittest

from monitor436.model.fleet.errand import MOST, Asked, Errand, as_json, read_errand, read_told
from monitor436.model.fleet.interval import Counted
from monitor436.model.fleet.report import Failure
from monitor436.model.fleet.statuses import Question, Status, Wanted

ASKED = Asked("web1", "http://web1/status", "web1", 80)
QUESTION = Question(("Application",), (Wanted("Uptime", "p99"),), False)
TOLD = Status(("shop",), {"Uptime": 5}, Counted(1, 2)), 0.25


class ErrandTests(unittest.TestCase):
    def test_who_is_asked_and_what_comes_to_the_worker(self) -> None:
        """Just as they were."""
        self.assertEqual(read_errand(as_json(Errand(ASKED, QUESTION))), Errand(ASKED, QUESTION))

    def test_what_is_no_errand_is_a_sentence(self) -> None:
        """The queue may hold anything."""
        for body in (
            b"",
            b"{}",
            b'["a"]',
            b"\xff",
            as_json(Errand(ASKED, QUESTION)).replace(b"80", b'"80"'),
            b"9" * MOST * 2,
        ):
            with self.assertRaises(ValueError) as caught:
                read_errand(body)
            self.assertRegex(str(caught.exception), "^it (is no errand of a report: .|has [0-9,]+ bytes, more)")


class ToldTests(unittest.TestCase):
    def test_a_status_comes_home(self) -> None:
        """With its seconds."""
        self.assertEqual(read_told(as_json(TOLD), ASKED, QUESTION), TOLD)

    def test_a_failure_comes_home_under_the_name_that_we_know(self) -> None:
        """A worker may call it otherwise."""
        failed = Failure("17", "", "refused", "refuses", 0.5)
        expected = Failure("web1", "http://web1/status", "refused", "refuses", 0.5)
        self.assertEqual(read_told(as_json(failed), ASKED, QUESTION), expected)

    def test_what_is_no_answer_to_the_question_is_a_failure(self) -> None:
        """A worker of another version, or somebody else who may write there."""
        others = (
            b"",
            b"[]",
            b"9" * MOST * 2,
            as_json((TOLD[0]._replace(group=("shop", "2")), 0.1)),
            as_json((TOLD[0]._replace(numbers={"Load": 1}), 0.1)),
            as_json((TOLD[0]._replace(numbers={"Uptime": 1.7e308}), 0.1)),
            as_json((TOLD[0]._replace(group=("x" * 201,)), 0.1)),
            as_json((TOLD[0]._replace(counted=Counted(50, 10)), 0.1)),
            as_json((TOLD[0]._replace(counted=Counted(0, -10)), 0.1)),
            as_json((TOLD[0], -0.1)),
            as_json(Failure("", "", "Refused\n", "", 0.0)),
            as_json(Failure("", "", "refused", "\x1b[2J", 0.0)),
            as_json(Failure("", "", "refused", "refuses", -1.0)),
        )
        for body in others:
            told = read_told(body, ASKED, QUESTION)
            assert isinstance(told, Failure)
            self.assertEqual((told.host, told.reason), ("web1", "protocol"))
            self.assertRegex(told.text, "^a worker brought (no answer|an answer to another question)")


if __name__ == "__main__":
    unittest.main()
