"""What checks told and measured last. It is beside the board, which has what is bad, and is kept nowhere. Pure."""

from collections.abc import Iterable, Mapping
from sys import intern

from msgspec import Struct

from monitor436.agent import event as agent
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.status import reading
from monitor436.model.status.standing import MOST_CHECKS

MOST_VALUES = 100  # of one check
MOST_TEXT = 300  # letters of a text
LARGEST = 1e300  # of a number: JSON has whole ones that are no float


class Last(Struct, gc=False):
    """One check: `at` is when it told something last, `text` and `well` when it said last that it is well.

    `numbers` are labels and values of the last metric, one after the other, measured at `measured`. Times are epoch
    seconds, by the host's clock; 0 until it is told. There are very many of these.
    """

    at: float = 0.0
    well: float = 0.0
    text: str = ""
    measured: float = 0.0
    numbers: tuple[str | float, ...] = ()

    @property
    def values(self) -> dict[str, float]:
        """What was measured last, by label."""
        return dict(zip(self.numbers[::2], self.numbers[1::2], strict=True))  # type: ignore[arg-type]


NOTHING: Mapping[str, Last] = {}
NEVER = Last()


class Latest:
    """Every host that told something. It begins empty at each start: agents tell again within their intervals."""

    def __init__(self) -> None:
        self.hosts: dict[str, dict[str, Last]] = {}

    def of(self, host: str, check: str) -> Last:
        """What a check told; of one that told nothing, nothing."""
        return self.hosts.get(host, NOTHING).get(check, NEVER)

    def heard(self, events: Iterable[Event]) -> None:
        """These events are durable."""
        for event in events:
            if event.host:
                self._read(event)

    def _read(self, event: Event) -> None:
        if event.kind == agent.METRIC:
            self._measured(event)
        elif event.kind == kinds.HOST_FORGOTTEN:
            self.hosts.pop(event.host, None)
        elif event.kind == kinds.CHECK_REMOVED:
            self.hosts.get(event.host, {}).pop(event.check, None)
        else:
            found = reading.read(event)
            self._told(event, event.check if event.kind == agent.REPORTED else found.check if found else "")

    def _measured(self, event: Event) -> None:
        last = self._last(event.host, event.check)
        if last is None:
            return
        numbers = [
            (intern(label), float(value))  # a label is kept once for all hosts
            for label, value in event.fields.items()
            if isinstance(value, int | float) and -LARGEST <= value <= LARGEST
        ]
        last.numbers = tuple(each for number in numbers[:MOST_VALUES] for each in number)
        last.measured = _at(event)

    def _told(self, event: Event, check: str) -> None:
        last = self._last(event.host, check)
        if last is None:
            return
        last.at = _at(event)
        if event.severity == "info":
            last.well, last.text = last.at, event.text[:MOST_TEXT]

    def _last(self, host: str, check: str) -> Last | None:
        """None if there is no room for one more."""
        if not check:
            return None
        checks = self.hosts.setdefault(host, {})
        last = checks.get(check)
        if last is None and len(checks) < MOST_CHECKS:
            last = checks[intern(check)] = Last()
        return last


def _at(event: Event) -> float:
    return event.time.timestamp() if event.time is not None else 0.0
