"""Everything that the files of a server tell about one host, and in sentences why it is as it is. Pure."""

from collections.abc import Iterator

from msgspec import Struct

from monitor436.agent import event as agent
from monitor436.model.event import Event
from monitor436.model.hosts.history import CheckNow
from monitor436.model.hosts.host import (
    DOWN,
    DUPLICATE_NAME,
    LATE,
    NEVER_SEEN,
    SEGMENT_LOST,
    SILENT,
    STOPPED,
    UNKNOWN,
    UP,
    Seen,
)
from monitor436.model.keys.enrolment import Bound
from monitor436.model.words import count, span

SHORT = 12  # letters of a digest that are shown
FULL = 1 << 20  # bytes in a spool that are worth a word

REASONS = {
    SILENT: "it does not answer: look at the machine, its network and its agent",
    SEGMENT_LOST: "it fell silent together with many others and stayed away: look at what they have in common",
    NEVER_SEEN: "a plan names it and it was never heard: does an agent run there? On that host: agent436.pyz doctor",
    DUPLICATE_NAME: "two machines have its name and key: empty the state folder of the copy's agent",
}


class PlanNow(Struct, frozen=True):
    """The plan that a host follows, and the one that the files say now, as digests; `problems` of the files."""

    in_force: str = ""
    wanted: str = ""
    generation: int = 0  # that the host's key must have at least
    problems: list[str] = []


class Dossier(Struct, frozen=True):
    """One host. `age` is how old `seen` is (seconds), and `runs` whether the server that kept it seems to run.

    `key` is whose its name is, with the way it came; `plan` and `checks` come from the plan files as they are now.
    """

    host: str
    server: str
    runs: bool
    age: float
    seen: Seen | None
    key: Bound | None
    plan: PlanNow
    checks: list[CheckNow]
    found: Event | None
    joined: Event | None
    turned: Event | None
    told_plan: Event | None
    agent: Event | None
    refused: Event | None
    isolated: Event | None
    dead: Event | None
    events: list[Event]
    unreadable: list[Event] = []

    @property
    def state(self) -> str:
        """The state of the host as the server saw it last."""
        return self.seen.state if self.seen else UNKNOWN

    @property
    def reason(self) -> str:
        """Why it is in its state: one of the reasons that docs/events.md explains; "" if there is none."""
        if self.state in (UP, UNKNOWN):
            return DUPLICATE_NAME if self.seen and self.seen.twins else ""
        return str(self.turned.fields.get("reason", "")) if self.turned else ""

    @property
    def well(self) -> bool:
        """Whether it is up, or was stopped cleanly, none of its checks is bad, and each of its logs can be read."""
        return self.state in (UP, STOPPED) and not self.unreadable and not any(check.bad for check in self.checks)

    def why(self) -> list[str]:
        """What is to be known, a sentence each, with what to do; nothing for a host with which all is well."""
        return [*self._about_state(), *self._about_key(), *self._about_plan(), *self._about_checks()]

    def _about_state(self) -> Iterator[str]:
        if not self.runs:
            known = f"this is how {self.server} knew it {span(self.age)} ago" if self.server else "it has kept nothing"
            yield f"the server does not seem to run: {known}"
        if self.state in (LATE, DOWN) and self.dead is not None:
            yield f"{self.dead.text}. On that host: agent436.pyz doctor"
        elif self.state in (LATE, DOWN):
            yield REASONS.get(self.reason, self.turned.text if self.turned else f"it is {self.state}")
        if self.state == LATE and self.isolated is not None:
            yield f"verdicts wait: {self.isolated.text}"
        if self.state == STOPPED:
            yield "its agent said goodbye: silence means nothing until it is started again"
        if self.seen is None or self.state == UNKNOWN:
            yield "it was never heard here. On that host: agent436.pyz doctor"
        if self.seen and self.seen.flapping:
            yield f"it flaps: {count(len(self.seen.turns), 'turn')} lately; nothing is told until it holds still"
        if self.seen and self.seen.twins:
            yield REASONS[DUPLICATE_NAME]
        if self.seen and self.seen.fill >= FULL:
            yield f"its spool takes {self.seen.fill >> 20} MiB: events wait there"

    def _about_key(self) -> Iterator[str]:
        if self.key is not None and self.key.state == "waiting":
            asks = f" (it asks from {self.key.address})" if self.key.address else ""
            yield f"it waits to be let in{asks}: monitor436 host approve {self.host}"
        elif self.key is not None and self.key.serial and self.key.generation < self.plan.generation:
            yield (
                f"its key has generation {self.key.generation}, and the plans ask for {self.plan.generation}: it is "
                f"revoked, the host has to join again"
            )
        elif self.key is not None and not self.key.greeted and self.key.state != "approved":
            yield "it got a key and never greeted with it"
        if self.refused is not None:
            yield f"{self.refused.text}. If the machine was replaced: monitor436 host forget {self.host}"

    def _about_plan(self) -> Iterator[str]:
        plan = self.plan
        if plan.problems:
            mistakes = count(len(plan.problems), "mistake")
            yield f"the plan files have {mistakes}, the old plans stay: monitor436 config check"
        elif self.seen and plan.in_force and plan.in_force != plan.wanted:
            refused = self.told_plan if self.told_plan and self.told_plan.kind == agent.PLAN_REFUSED else None
            follows = f"it follows plan {plan.in_force[:SHORT]}, and the files say {plan.wanted[:SHORT]}"
            if refused is not None and plan.wanted.startswith(str(refused.fields.get("digest", "?"))):
                yield f"{follows}: {refused.text}"
            elif self.state == UP:
                yield f"{follows}: it has been told and has not fetched it yet, or is not in the canary group"
            else:
                yield f"{follows}: it comes for it when it is heard again"

    def _about_checks(self) -> Iterator[str]:
        for event in self.unreadable:  # once, however many checks read it
            yield f"{event.severity}: {event.text}"
        for check in self.checks:
            for event in check.bad:
                if event.kind == agent.LOG_UNREADABLE:
                    continue
                about = "" if _begins_with(event.text, check.name) else f"{check.name}: "
                yield f"{event.severity}: {about}{event.text}"


def _begins_with(text: str, name: str) -> bool:
    """Whether a text names its check already, as that of a value does and a line of a log does not."""
    return text.startswith(name) and not text[len(name) :][:1].isalnum()
