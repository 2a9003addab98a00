"""Why an alarm is not told, or not yet. Pure."""

from collections.abc import Callable

from msgspec import structs

from monitor436.model.notify.alarm import Alarm
from monitor436.model.notify.routes import quiet
from monitor436.model.notify.times import Clocks
from monitor436.model.settings.notify import Notify
from monitor436.model.status.board import Board


class Holding:
    """Quiet hours, silences, acknowledgements, and what something stands behind.

    When a switch is back, the hosts behind it are not all heard at once: each has as long as it may be silent,
    `late(host)` seconds, until it is told of for itself.
    """

    def __init__(self, board: Board, notify: Notify, late: Callable[[str], float]) -> None:
        self._board = board
        self.notify = notify
        self._late = late

    def look(self, alarm: Alarm, clocks: Clocks) -> tuple[Alarm, bool]:
        """The alarm with what is to be remembered of it, and whether it is held back."""
        if self._board.behind(alarm.subject) is not None:
            return (alarm if alarm.behind and not alarm.free else structs.replace(alarm, behind=True, free=0.0)), True
        if alarm.behind:
            alarm = structs.replace(alarm, free=alarm.free or clocks.now)
            if clocks.now < alarm.free + self._late(alarm.subject.host):
                return alarm, True
            alarm = structs.replace(alarm, behind=False, free=0.0)
        waits = quiet(self.notify.quiet, alarm.severity, clocks.weekday, clocks.minute)
        return alarm, waits or bool(self._board.held(alarm.subject, alarm.severity, alarm.tags, clocks.wall))
