"""The quality gate."""

import unittest
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from monitor436.model.fleet.gate import Gate


class GateTests(unittest.TestCase):
    """Enough answered, or not."""

    def test_half_a_percent_failing_passes_99_and_two_do_not(self) -> None:
        """Of a thousand."""
        self.assertEqual((Gate(99.0, 1000, 995).status, Gate(99.0, 1000, 980).status), ("OK", "FAILED"))

    def test_exactly_enough_is_enough(self) -> None:
        """Also for percentages that no float is equal to."""
        self.assertTrue(Gate(99.9, 1000, 999).passed)
        self.assertFalse(Gate(99.9, 1000, 998).passed)
        self.assertTrue(Gate(100.0, 3, 3).passed)
        self.assertFalse(Gate(100.0, 100_000, 99_999).passed)
        self.assertTrue(Gate(1e-05, 100_000, 1).passed)

    def test_nobody_asked_is_no_success(self) -> None:
        """Whatever is expected."""
        self.assertFalse(Gate(0.1, 0, 0).passed)
        self.assertEqual(Gate(0.1, 0, 0).actual, 0.0)

    @given(st.integers(1, 10_000), st.integers(1, 100_000), st.data())
    def test_it_is_exact_arithmetic(self, hundredths: int, asked: int, data: st.DataObject) -> None:
        """Against fractions, around the line where it matters."""
        expected = hundredths / 100
        near = asked * hundredths // 10_000 + data.draw(st.integers(-1, 2))
        answered = min(asked, max(0, near))
        gate = Gate(expected, asked, answered)
        self.assertEqual(gate.passed, Fraction(100 * answered, asked) >= Fraction(hundredths, 100))
