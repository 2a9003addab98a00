"""What checks told and measured last. It is beside the board, which has what is bad, and is kept nowhere. Pure."""

from collections.abc import Iterable, Iterator
from sys import intern
from typing import NamedTuple, TypeVar

from monitor436.agent import event as agent
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.status import reading
from monitor436.model.status.standing import MOST_CHECKS

MOST_VALUES = 100  # of one check
MOST_TEXT = 300  # letters of a text
LARGEST = 1e300  # of a number: JSON has whole ones that are no float


class Words(NamedTuple):
    """What a check told: `at` is its last event that is no metric, `well` and `text` the last that said it is well.

    Times are epoch seconds by the host's clock, 0 until it is told.
    """

    at: float = 0.0
    well: float = 0.0
    text: str = ""


class Numbers(NamedTuple):
    """What a check measured `at` (epoch seconds by the host's clock, 0 until it does): values by label."""

    at: float
    values: dict[str, float]


Packed = tuple[float | str, ...]  # when, then labels and values by turns: there are very many of these
Told = TypeVar("Told")

SILENCE, NOTHING = Words(), (0.0,)


class Latest:
    """Every host that told something. It begins empty at each start: agents tell again within their intervals."""

    def __init__(self) -> None:
        self._words: dict[str, dict[str, Words]] = {}
        self._numbers: dict[str, dict[str, Packed]] = {}

    def words(self, host: str, check: str) -> Words:
        """What a check told last."""
        return self._words.get(host, {}).get(check, SILENCE)

    def numbers(self, host: str, check: str) -> Numbers:
        """What a check measured last."""
        return _unpacked(self._numbers.get(host, {}).get(check, NOTHING))

    def hosts(self) -> list[str]:
        """Those that measured something."""
        return list(self._numbers)

    def measured(self, host: str) -> Iterator[tuple[str, Numbers]]:
        """What a host measured, by check; meanwhile it may go on to."""
        for check, packed in list(self._numbers.get(host, {}).items()):
            yield check, _unpacked(packed)

    def heard(self, events: Iterable[Event]) -> None:
        """These events are durable."""
        for event in events:
            if event.host:
                self._read(event)

    def _read(self, event: Event) -> None:
        if event.kind == agent.METRIC:
            _put(self._numbers, event.host, event.check, _packed(event))
        elif event.kind == kinds.HOST_FORGOTTEN:
            self._words.pop(event.host, None)
            self._numbers.pop(event.host, None)
        elif event.kind == kinds.CHECK_REMOVED:
            self._words.get(event.host, {}).pop(event.check, None)
            self._numbers.get(event.host, {}).pop(event.check, None)
        else:
            found = reading.read(event)
            self._told(event, event.check if event.kind == agent.REPORTED else found.check if found else "")

    def _told(self, event: Event, check: str) -> None:
        at = _at(event)
        if event.severity == "info":
            words = Words(at, at, event.text[:MOST_TEXT])
        else:
            words = self.words(event.host, check)._replace(at=at)
        _put(self._words, event.host, check, words)


def _put(table: dict[str, dict[str, Told]], host: str, check: str, told: Told) -> None:
    """If there is room for it. The name of a check is kept once for all hosts."""
    if check:
        checks = table.setdefault(host, {})
        if check in checks or len(checks) < MOST_CHECKS:
            checks[intern(check)] = told


def _packed(event: Event) -> Packed:
    numbers = [
        (intern(label), float(value))
        for label, value in event.fields.items()
        if isinstance(value, int | float) and -LARGEST <= value <= LARGEST
    ]
    return (_at(event), *(each for number in numbers[:MOST_VALUES] for each in number))


def _unpacked(packed: Packed) -> Numbers:
    return Numbers(packed[0], dict(zip(packed[1::2], packed[2::2], strict=True)))  # type: ignore[arg-type]


def _at(event: Event) -> float:
    return event.time.timestamp() if event.time is not None else 0.0
