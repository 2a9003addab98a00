"""The quality gate: a report stands only if enough of the fleet answered. Pure."""

from fractions import Fraction
from typing import NamedTuple

OK, FAILED = "OK", "FAILED"


class Gate(NamedTuple):
    """`expected` is in percent, above 0 and up to 100; `answered` of `asked` gave a status that could be read."""

    expected: float
    asked: int
    answered: int

    @property
    def actual(self) -> float:
        """Percent of those asked that answered; 0 if nobody was asked."""
        return 100 * self.answered / self.asked if self.asked else 0.0

    @property
    def passed(self) -> bool:
        """Whether that is enough, exactly: 999 of 1,000 pass 99.9, whatever a float makes of it."""
        return self.asked > 0 and 100 * self.answered >= Fraction(repr(self.expected)) * self.asked

    @property
    def status(self) -> str:
        """In a word."""
        return OK if self.passed else FAILED
