"""One host: as the roster knows it, and as it is shown and kept."""

from collections import OrderedDict

from msgspec import Struct, structs

from monitor436.model.hosts.datagrams import Ring

UP, LATE, DOWN, STOPPED, UNKNOWN = "up", "late", "down", "stopped", "unknown"
QUIET = 0.7  # part of its time-out after which a host is asked without a word: lost beats should not even make it late

# Why a host is in its state, as events say it in `reason`. docs/events.md explains them.
SILENT = "silent"
NEVER_SEEN = "never_seen"
GOODBYE = "stopped"
REBOOTED = "rebooted"
SEGMENT_LOST = "segment_lost"
DUPLICATE_NAME = "duplicate_name"
AGENT_DEAD = "agent_dead"


class Host(Struct, gc=False):
    """What is known of one host. Times are monotonic seconds of this server.

    Garbage collection leaves it alone, which a hundred thousand hosts make worth it: the one cycle it may be in, with
    its queue, ends when it leaves that.
    """

    name: str
    state: str
    last: float  # when it was last heard, or since when it is waited for
    since: float  # when the present state began
    late: float  # seconds of silence after which it is late
    boot: str = ""
    version: str = ""
    address: str = ""
    up: int = 0  # its own seconds since boot
    fill: int = 0  # bytes that its spool takes on its disk, also for what is acknowledged and not yet swept
    plan: str = ""  # digest of the plan in force on it
    heard: bool = True  # ever; False for one that is only waited for
    asked: int = 0  # pings sent since it is late
    grace: float = 0.0  # until then it is not late, whatever `last` says: this server itself was away
    deadline: float = 0.0  # when it is looked at next, or asked again if it is up
    knocked: float = float("-inf")  # when it greeted last: no sign of life, as greetings can be replayed
    former: float = 0.0  # `late` of the plan it had, as long as it follows that one
    former_plan: str = ""
    agent: str = ""  # the spool that its agent began with
    datagrams: Ring | None = None  # the last of them, in memory only
    queue: OrderedDict[str, "Host"] | None = None  # where it stands while it is up

    @property
    def allowed(self) -> float:
        """Seconds that it may be silent: those of its plan, or of its former plan as long as it follows that."""
        return max(self.late, self.former)

    @property
    def due(self) -> float:
        """When it will have been silent for too long."""
        return max(self.last + self.allowed, self.grace)

    @property
    def quiet(self) -> float:
        """When it will have been quiet for so long that it is asked."""
        return self.due - self.allowed * (1 - QUIET)

    def allow(self, late: float) -> None:
        """Its plan says another time-out. A shorter one waits until the host says that it follows that plan."""
        if late < self.late:
            self.former, self.former_plan = self.allowed, self.plan
        self.late = late


class Seen(Struct, frozen=True):
    """A host as it is shown and kept: ages in seconds instead of times."""

    name: str
    state: str
    age: float  # seconds since it was last heard
    lasted: float  # seconds since the state began
    boot: str = ""
    version: str = ""
    address: str = ""
    up: int = 0
    fill: int = 0
    plan: str = ""
    heard: bool = True
    flapping: bool = False
    turns: tuple[float, ...] = ()  # ages of the last times that it went down or came back
    twins: bool = False  # two machines speak under this name


SAME = tuple(name for name in Seen.__struct_fields__ if name in Host.__struct_fields__)
TOLD = (UP, DOWN, STOPPED)  # what events say of a host for good; late is told too, and passes


def as_told(seen: Seen, state: str, lasted: float) -> Seen:
    """A host as events told of it, `lasted` seconds ago: a server that was killed may have told what it had not kept.

    Were that left, a return would be none, and what was told to be down would stay so for ever.
    """
    kept = UP if seen.state == LATE else seen.state
    if state not in TOLD or kept not in TOLD or state == kept:
        return seen
    return structs.replace(seen, state=state, lasted=max(0.0, lasted))
