"""What changes on the status board, and about what."""

from typing import Literal, NamedTuple

from msgspec import Struct

from monitor436.model.event import Severity

UNREADABLE = ":unreadable"  # of a log, whose check is "log PATH"
RANKS: dict[str, int] = {"": -1, "info": 0, "warning": 1, "critical": 2}

Kind = Literal["state", "flapping", "steady", "happened"]


class Subject(NamedTuple):
    """What has a state: a host ("" for the server itself), a check of it ("" for the host itself), and which of its
    values, or what else about it ("" for the one there is).
    """

    host: str
    check: str = ""
    of: str = ""

    def __str__(self) -> str:
        if self.of == UNREADABLE:
            return f"{self.host}: {self.check}"  # a path is in it
        return "/".join(part for part in (self.host or "this server", self.check, self.of.lstrip(":")) if part)


class Change(Struct, frozen=True):
    """News about a subject: its state is another one (severity "info": it is well), it flaps, it has become steady, or
    something happened that is no state. `at`: seconds since the epoch.
    """

    subject: Subject
    kind: Kind
    severity: Severity
    text: str
    at: float
    tags: tuple[str, ...] = ()
    event: str = ""  # its id
