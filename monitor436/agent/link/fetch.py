"""Fetching the plan that the home server wants to be in force here."""

from collections.abc import Callable

from monitor436.agent import wire
from monitor436.agent.identity import Identity
from monitor436.agent.in_force import InForce
from monitor436.agent.link.asking import Asking
from monitor436.agent.link.homing import Server

RETRY = 1.0  # seconds until a fetch that failed is tried again; doubled up to AT_MOST
AT_MOST = 30.0
POLL = 0.05  # seconds between looks at a fetch under way
MOST_SPREAD = 600.0  # seconds over which the fetches of a fleet are spread at most
NEVER = float("inf")


def turn_of(name: str, within: object) -> float:
    """In how many seconds this host comes, of those that a server gives all hosts: each at a moment of its own."""
    slot = int.from_bytes(wire.SHA256(name.encode("utf-8")).digest()[:4], "big") / 2.0**32
    return slot * min(max(within, 0.0), MOST_SPREAD) if isinstance(within, float) else 0.0


class Fetch:
    """At most one fetch at a time. `fetched(events, now)` is called with what follows from a plan that came."""

    def __init__(
        self,
        identity: Identity,
        pin: str,
        in_force: InForce,
        fetched: "Callable[[list[dict[str, object]], float], None]",
        say: "Callable[[str], None]",
    ) -> None:
        self.due = NEVER  # when `turn` is to be called
        self.identity = identity
        self._pin = pin
        self._in_force = in_force
        self._fetched = fetched
        self._say = say
        self._wanted = ""
        self._asking = None  # type: Asking | None
        self._patience = RETRY

    def want(self, digest: str, now: float, within: object = None) -> None:
        """The home server says which plan should be in force, and `within` how many seconds it can serve all hosts."""
        self._wanted = digest
        if self.due == NEVER and self._in_force.lacks(digest):
            self.due = now + turn_of(self.identity.name, within)

    def turn(self, home: "Server | None", now: float) -> None:
        """Start a fetch from `home`, or look whether the one under way is done."""
        if self._asking is not None:
            self._look(now)
        elif home is not None and self._in_force.lacks(self._wanted):
            self._asking = Asking(self._asked(home), now)
            self.due = now + POLL
        else:
            self.due = NEVER

    def _look(self, now: float) -> None:
        answer = self._asking.poll(now)  # type: ignore[union-attr]
        self.due = now + POLL
        if answer is None:
            return
        self._asking = None
        status, body = answer
        if status == 200:
            try:
                events = self._in_force.adopt(self._wanted, body.encode("utf-8"))
            except OSError as problem:
                events = []
                self._say("the plan cannot be kept, the old one stays in force: {}".format(problem.strerror))
            self._fetched(events, now)
        else:
            self._say("the plan could not be fetched: {}".format(body.strip() or "status {}".format(status)))
        if self._in_force.lacks(self._wanted):
            self.due = now + self._patience
            self._patience = min(self._patience * 2, AT_MOST)
        else:
            self.due = NEVER
            self._patience = RETRY

    def _asked(self, home: Server) -> "dict[str, object]":
        host, port = home.address[0], home.door
        proof = dict(self.identity.proof(), key=home.secret.hex())  # not every server has a new key of this host yet
        return dict(proof, host=host, port=port, pin=self._pin, method="GET", path="/plan")
