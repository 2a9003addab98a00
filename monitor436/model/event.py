"""An event: the one thing that everything which happens becomes, and the catalogue of their kinds."""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field, json

from monitor436.agent import event as agent

Severity = Literal["info", "warning", "critical"]
Field = str | int | float | bool


class Event(Struct, frozen=True, omit_defaults=True, gc=False):
    """Something that happened to a host or a server; in the events file one line, with its keys in this order.

    `time` is the wall clock of whoever saw it, `received` that of the server if an agent saw it. `id` is
    origin/spool/number, where the origin is a host's name or "@" and a server's. What the rules return has neither
    time nor id yet: the event log gives both.
    """

    time: datetime | None = None
    severity: Severity = field(
        default_factory=lambda: "info"
    )  # a factory's value is always written: severity comes second
    host: str = ""
    kind: str = ""
    check: str = ""
    text: str = ""
    fields: dict[str, Field] = {}
    tags: tuple[str, ...] = ()
    received: datetime | None = None
    id: str = ""
    lost: int = 0  # how many numbers before its own a `lost` event stands for
    again: bool = False  # another server may hold it too


SERVER_STARTED = "server_started"
SERVER_STOPPED = "server_stopped"
SETTINGS_REFUSED = "settings_refused"
SITE_CHANGED = "site_changed"
SITE_REFUSED = "site_refused"
PLANS_CHANGED = "plans_changed"
PLANS_REFUSED = "plans_refused"
PLANS_HELD = "plans_held"
PLANS_DIFFER = "plans_differ"
HOST_JOINED = "host_joined"
HOST_WAITING = "host_waiting"
HOST_REFUSED = "host_refused"
HOST_FOUND = "host_found"
HOST_LATE = "host_late"
HOST_DOWN = "host_down"
HOST_UP = "host_up"
HOST_STOPPED = "host_stopped"
HOST_REBOOTED = "host_rebooted"
HOST_FLAPPING = "host_flapping"
HOST_STEADY = "host_steady"
DUPLICATE_NAME = "duplicate_name"
ISOLATED = "isolated"
ISOLATION_OVER = "isolation_over"
SERVER_TROUBLE = "server_trouble"
TAKEN_OVER = "taken_over"
POLL_FAILED = "poll_failed"
POLL_RECOVERED = "poll_recovered"
POLL_UNTRUSTED = "poll_untrusted"
POLL_REFUSED = "poll_refused"
SWEEP_FAILED = "sweep_failed"
SWEEP_RECOVERED = "sweep_recovered"
SWEEP_UNTRUSTED = "sweep_untrusted"
SWEEP_REFUSED = "sweep_refused"
AGENT_DEAD = "agent_dead"
METRICS_LIMITED = "metrics_limited"
METRICS_STORE = "metrics_store"
METRICS_GAP = "metrics_gap"
CHECK_REMOVED = "check_removed"
HOST_FORGOTTEN = "host_forgotten"
SILENCE_ADDED = "silence_added"
SILENCE_REMOVED = "silence_removed"
ACKNOWLEDGED = "acknowledged"
NOTIFY_FAILED = "notify_failed"
NOTIFY_LOST = "notify_lost"

KINDS = {
    SERVER_STARTED: "The server is up.",
    SERVER_STOPPED: "The server was told to stop; events that are on their way may still follow.",
    SETTINGS_REFUSED: "A reload found mistakes in the settings; the old ones stay in force.",
    SITE_CHANGED: "The keys of the site are others: hosts are moved to a new one, or the one before is no longer good.",
    SITE_REFUSED: "The folder of the site changed and cannot be used; the keys stay what they were.",
    PLANS_CHANGED: "The plan files were read anew; the text says how many hosts get another plan.",
    PLANS_REFUSED: "The plan files have mistakes; the old plans stay in force.",
    PLANS_HELD: "A host of the canary group refused an edited plan; the old ones stay in force everywhere.",
    PLANS_DIFFER: "Another `server` of the site serves other plans; and when it no longer does.",
    HOST_JOINED: "A host asked for a key over TLS and got one.",
    HOST_WAITING: "A host asks for a key and waits for an operator to approve it.",
    HOST_REFUSED: "A host greeted under a name that is bound to another key, or with a key that was revoked.",
    HOST_FOUND: "A host was heard for the first time.",
    HOST_LATE: "A host has not beaten for its time-out; it is being asked whether it is there.",
    HOST_DOWN: "A host is silent: `reason` says how that was decided, `seconds` how long it has been.",
    HOST_UP: "A host is heard again; `seconds` says for how long it was not.",
    HOST_STOPPED: "An agent said goodbye: a clean stop, not an outage.",
    HOST_REBOOTED: "A host came back with another boot id.",
    HOST_FLAPPING: "A host goes down and comes back again and again; nothing more is told of it until it holds still.",
    HOST_STEADY: "A host that flapped has been in one state for long enough: `state` says which.",
    DUPLICATE_NAME: "Two machines speak under one name, with the same key: one is a copy of the other.",
    ISOLATED: "Many hosts fell silent at once, so it may be the network or this server; verdicts on them wait.",
    ISOLATION_OVER: "How that ended: `back` are heard again, `down` are down, each with an event of its own.",
    SERVER_TROUBLE: "This server has a trouble of its own, or had (`state`): `trouble` says which.",
    TAKEN_OVER: "A host's earlier events, up to a number, were acknowledged by another server.",
    POLL_FAILED: "Targets of a poll fail, those of one application and version together: `failing` `of` them.",
    POLL_RECOVERED: "Targets of a poll that failed are well again, at most `seconds` after they were told to fail.",
    POLL_UNTRUSTED: "Rounds of a poll say more of this machine than of its targets, or no longer do (`state`).",
    POLL_REFUSED: "The inventory of a poll has mistakes; the old one stays in force.",
    SWEEP_FAILED: "Hosts of a sweep cannot be asked over ssh: `failing` `of` them.",
    SWEEP_RECOVERED: "Hosts of a sweep that failed answer again, at most `seconds` after they were told to fail.",
    SWEEP_UNTRUSTED: "Rounds of a sweep say more of this machine than of its hosts, or no longer do (`state`).",
    SWEEP_REFUSED: "The inventory, a key or the known hosts of a sweep cannot be used.",
    AGENT_DEAD: "A host that is down by its heartbeats answers over ssh: it is the agent that is dead, or cut off.",
    METRICS_LIMITED: "A host sends metrics under more labels, or more hosts do, than the settings allow.",
    METRICS_STORE: "Summaries of metrics cannot be kept, are kept again, or begin anew (`state`).",
    METRICS_GAP: "The server ended without a goodbye: metrics of `seconds` may be missing.",
    CHECK_REMOVED: "The plan of a host no longer has a check, so whatever was bad about it is over.",
    HOST_FORGOTTEN: "An operator freed the name of a host: nothing is expected of it any more.",
    SILENCE_ADDED: "An operator wants no alarms about what fits its patterns, `until` then (epoch seconds).",
    SILENCE_REMOVED: "An operator ended a silence.",
    ACKNOWLEDGED: "An operator knows of what is bad about a host or a check: no more alarms until it is well.",
    NOTIFY_FAILED: "Notifications of a notifier cannot be handed over, and wait; and when they can be again.",
    NOTIFY_LOST: "Notifications were given up: refused again and again, or too many waited.",
    agent.AGENT_STARTED: "An agent started.",
    agent.AGENT_STOPPED: "An agent was told to stop.",
    agent.PLAN_IN_FORCE: "A host follows another plan from now on.",
    agent.PLAN_REFUSED: "A host could not use a plan; the old one stays in force there.",
    agent.CHECK_REFUSED: "A host does not allow a command or a log that its plan asks for.",
    agent.CHECK_FAILED: "A check could not be made, or a command without limits failed; told once, as is its recovery.",
    agent.CHECK_STATE: "A value crossed a limit, or a plug-in says so: `state`, `was`, `value`, and `of` what it is.",
    agent.CHECK_STUCK: "A check's command did not end and could not be killed.",
    agent.LOG_LINE: "A line of a log matched; the text is the line, or what the plan says; named groups are fields.",
    agent.LOG_COUNT: "How many lines matched in a period: `count`, `seconds`.",
    agent.LOG_OVER: "More lines than allowed matched in a period: `count`, `seconds`; and when that is over.",
    agent.LOG_SILENT: "No line matched for a period of `seconds`; and when one does again.",
    agent.LOG_GAP: "Lines of a log file could not be had: it was truncated, rotated away, or there are too many files.",
    agent.LOG_UNREADABLE: "A log file cannot be read; told once, and when it can be again or the plan has it no more.",
    agent.METRIC: "Values that a check measured, by label; a sample, not a change.",
    agent.REPORTED: "What a script on the host stated with the agent's `event` command.",
    agent.LOST: "Events of a host were dropped before any server had them: `count` numbers before this one.",
}

OF_SERVERS = frozenset(KINDS).difference(each for each in vars(agent).values() if isinstance(each, str))  # no host's


def read_line(line: bytes) -> Event:
    """The event in a line of the events file. Raises msgspec.DecodeError."""
    return _decoder.decode(line)


_decoder = json.Decoder(Event)
