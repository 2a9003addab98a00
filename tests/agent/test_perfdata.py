"""What Nagios plug-ins print, as the guidelines for them say, and as plug-ins do."""

import unittest

from monitor436.agent.match.budget import Budget
from monitor436.agent.probe.perfdata import number, numbers, sentence

PAGE = """\
DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968
/ 15272 MB (77%);
/boot 68 MB (69%);
/home 69357 MB (27%);
/var/log 819 MB (84%); | /boot=68MB;88;93;0;98
/home=69357MB;253404;253409;0;253414
/var/log=818MB;970;975;0;980
"""  # the example of the Nagios documentation (pluginapi)


class SentenceTests(unittest.TestCase):
    def test_it_is_the_first_line_without_the_performance_data(self) -> None:
        """Whatever else there is."""
        self.assertEqual(sentence(PAGE), "DISK OK - free space: / 3326 MB (56%);")
        self.assertEqual(sentence("OK"), "OK")
        self.assertEqual(sentence("\n\n LOAD OK | x=1"), "LOAD OK")
        for nothing in ("", "\n", "| x=1"):
            self.assertEqual(sentence(nothing), "")


class NumbersTests(unittest.TestCase):
    def assert_numbers(self, data: str, **found: float) -> None:
        """These are the values of this performance data."""
        self.assertEqual(numbers("TEXT | " + data), found)

    def test_all_lines_after_the_second_bar_have_some_too(self) -> None:
        """In their order."""
        self.assertEqual(list(numbers(PAGE).items()), [("/", 2643), ("/boot", 68), ("/home", 69357), ("/var/log", 818)])

    def test_values_are_as_printed(self) -> None:
        """Whole ones stay whole; units and thresholds are not looked at."""
        self.assert_numbers("time=0.012s;1;2;0 size=512B users=3;;;0", time=0.012, size=512, users=3)
        self.assert_numbers("a=-1.5 b=+2% c=.5 d=7. e=1e3 f=99c;~:10;@5:6", a=-1.5, b=2, c=0.5, d=7.0, e=1000.0, f=99)
        self.assertIsInstance(numbers("x|a=1")["a"], int)

    def test_a_comma_can_be_the_point(self) -> None:
        """Some plug-ins speak their locale."""
        self.assert_numbers("load=0,52;1,0;2,0", load=0.52)

    def test_labels_in_quotes_may_have_anything_in_them(self) -> None:
        """A doubled quote is one."""
        found = numbers("OK | 'C:\\ used'=5MB;1;2 'it''s'=1 'a=b'=2 plain=3")
        self.assertEqual(found, {"C:\\ used": 5, "it's": 1, "a=b": 2, "plain": 3})

    def test_what_is_undetermined_or_no_number_is_left_out(self) -> None:
        """The rest counts all the same."""
        self.assert_numbers("a=U b=1 c= d=;1;2 words 7 e=high =4 '' it's=5 f=2;3", b=1, f=2, **{"it's": 5})

    def test_of_one_label_the_first_value_counts(self) -> None:
        """There is room for one."""
        self.assert_numbers("a=1 a=2", a=1)

    def test_without_a_bar_there_are_none(self) -> None:
        """Whatever looks like some."""
        self.assertEqual(numbers("OK a=1\nb=2"), {})
        self.assertEqual(numbers(""), {})

    def test_it_takes_no_time_that_counts(self) -> None:
        """Whatever 64 KiB of output are: Overrun would be raised."""
        pieces = ("'", "'a", "a=", "=", "''='", "1", "a ", "' ", "'' ", "'''x ", " ", "a=1 ", "'a b'=1", "1.", "1e")
        for piece in pieces:
            with Budget(1.0):
                numbers("x | " + piece * (65000 // len(piece)))
                numbers("x | '" + piece * (65000 // len(piece)) + "=")


class NumberTests(unittest.TestCase):
    def test_whole_numbers_stay_whole(self) -> None:
        """As long as a float could hold them too."""
        self.assertEqual([number(text) for text in ("7", "-7", "7.5", "1e3")], [7, -7, 7.5, 1000.0])
        self.assertIsInstance(number("9" * 400), float)
        for odd in ("", "x", "1 2"):
            with self.assertRaises(ValueError):
                number(odd)


if __name__ == "__main__":
    unittest.main()
