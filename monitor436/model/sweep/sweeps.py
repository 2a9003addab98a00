"""What follows from the rounds of a sweep over ssh: hosts that fail, that were rebooted, whose agent is dead. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from monitor436.model import event as kinds
from monitor436.model.event import Event, Field
from monitor436.model.fleet.polls import Found, Kept, Polled
from monitor436.model.hosts.host import AGENT_DEAD, DOWN, LATE, REBOOTED, UP
from monitor436.model.sweep.remote import Result
from monitor436.model.sweep.uptime import printed, went_back

SLACK = 120.0  # seconds by which an uptime may be less than before: those that are printed have minutes only


class Agent(NamedTuple):
    """What is known of a host by its heartbeats: its `name` in events, and its state."""

    name: str
    state: str


Agents = Callable[[str], Agent | None]  # who a host of an inventory is among those with an agent


class Last(Struct):
    """What a host said last: `seconds` of uptime and its `boot`, if it told, at `time` (wall clock)."""

    seconds: float
    boot: str
    time: float
    told_dead: bool = False  # that its agent is dead, since that went down


class SweepKept(Struct):
    """All that is known of a sweep, as its file holds it."""

    polled: Kept = field(default_factory=Kept)
    hosts: dict[str, Last] = {}


class _Rounds(Polled):
    word = "sweep"
    kinds = kinds.SWEEP_FAILED, kinds.SWEEP_RECOVERED, kinds.SWEEP_UNTRUSTED


class Swept:
    """The state of one sweep. A host fails when `bad` of its last `of` rounds failed.

    `agents(host)` says what heartbeats tell of a host: an agent that is up tells itself that its host was rebooted.
    """

    def __init__(self, name: str, bad: int, of: int, agents: Agents, kept: SweepKept | None = None) -> None:
        self.name = name
        self.kept = kept or SweepKept()
        self._agents = agents
        self._rounds = _Rounds(name, bad, of, self.kept.polled)

    def round(self, results: Sequence[Result], hosts: dict[str, str], seconds: float, doubt: str = "") -> list[Event]:
        """A round that took so many `seconds`: the events that follow. `hosts`: those of the names of the results."""
        if not results:
            return []
        found = [Found(each.host, each.reason, each.error, each.took) for each in results]
        events = self._rounds.round(found, results[0].time, seconds, doubt)
        gone = self.kept.hosts.keys() - hosts.keys()
        for name in gone:
            del self.kept.hosts[name]
        for each in results:
            events += self.answered(each, hosts[each.host])
        return events

    def end(self) -> list[Event]:
        """Nobody is asked any more: the events that follow."""
        return self._rounds.end()

    def answered(self, result: Result, host: str) -> list[Event]:
        """One result, of a round or beside it: what it tells of the machine, and of its agent."""
        if result.seconds is None:
            return []
        agent = self._agents(host)
        name = agent.name if agent else host
        last = self.kept.hosts.get(result.host)
        down = agent is not None and agent.state == DOWN
        dead = down and not (last and last.told_dead)
        events = []
        if last and self._began_anew(last, result) and (agent is None or agent.state not in (UP, LATE)):
            events.append(self._rebooted(name, last, result))
        if dead:
            events.append(self._agent_dead(name, result))
        self.kept.hosts[result.host] = Last(result.seconds, result.boot, result.time, told_dead=down)
        return events

    def _began_anew(self, last: Last, result: Result) -> bool:
        if last.boot and result.boot and last.boot != result.boot:
            return True
        return went_back(last.seconds, result.seconds or 0.0, SLACK)

    def _rebooted(self, name: str, last: Last, result: Result) -> Event:
        up = result.seconds or 0.0
        fields: dict[str, Field] = {
            "reason": REBOOTED,
            "sweep": self.name,
            "seconds": round(up),
            "was": round(last.seconds),
        }
        text = f"{name} was rebooted: up for {printed(up)}, it was {printed(last.seconds)}"
        return Event(kind=kinds.HOST_REBOOTED, host=name, severity="warning", text=text, fields=fields)

    def _agent_dead(self, name: str, result: Result) -> Event:
        up = result.seconds or 0.0
        fields: dict[str, Field] = {"reason": AGENT_DEAD, "sweep": self.name, "seconds": round(up)}
        text = (
            f"{name} answers over ssh (up for {printed(up)}): its agent is dead, or its heartbeats are lost on the way"
        )
        return Event(kind=kinds.AGENT_DEAD, host=name, severity="warning", text=text, fields=fields)
