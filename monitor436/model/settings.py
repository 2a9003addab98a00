"""A server's settings: every one has a default, so an empty file works. etc/monitor436.yaml is `render()`."""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.inspect import Metadata, Type, type_info

from monitor436.agent.plan import spelt
from monitor436.model.inventory import PATTERN, pattern_problem, read_line
from monitor436.model.source import Path
from monitor436.model.units import WRITES, Address, Duration, FilePath, HostName, HostPattern, MulticastGroup, Size

DAY = 86400.0  # seconds
HEADING = """\
# monitor436: the settings of a server. Every setting is here, with its default; remove what you do not change.
# Durations are written 500ms, 30s, 5m, 2h or 1d, sizes 512, 4KiB or 64MiB; relative paths begin in this folder.
# After an edit: monitor436 config check
"""

_PLAIN = re.compile(r"[A-Za-z0-9./][A-Za-z0-9./_-]*")  # text that YAML needs no quotes for, wherever it stands
_POLL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # names of polls are names of files too
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a header field, RFC 9110 section 5.6.2
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
Port = Annotated[int, Meta(ge=0, le=65535)]


def why(sentence: str, ge: float | None = None, le: float | None = None) -> Meta:
    """What stands above a setting in the file that explains them all, and the bounds of a number."""
    return Meta(description=sentence, ge=ge, le=le)


class Agents(Struct, frozen=True):
    """The door of heartbeats and events, UDP."""

    address: Annotated[Address, why("The address to listen on; 0.0.0.0: all of this machine.")] = "0.0.0.0"
    port: Annotated[Port, why("The UDP port; 0: any free one.")] = 4360
    receive_buffer: Annotated[
        Size, why("How much the kernel keeps for us while we are busy: 10,000 agents at once need it.", ge=4096)
    ] = 12 << 20


class Plans(Struct, frozen=True):
    """The door of joins and plans, TLS, and where plans are kept."""

    folder: Annotated[FilePath, why("Plans of hosts: the *.yaml files in this folder and below it.")] = "agents"
    address: Annotated[Address, why("The address of the TLS door, where hosts join and fetch plans.")] = "0.0.0.0"
    port: Annotated[Port, why("The TCP port of that door; 0: any free one.")] = 4360
    join: Annotated[
        Literal["accept", "approve", "closed"],
        why("accept: a host with a join token is taken in; approve: once an operator says so; closed: no new hosts."),
    ] = "accept"
    token_expires: Annotated[
        Duration, why("How long the join token in an agent file is good for.", ge=60.0, le=3650 * DAY)
    ] = 30 * DAY
    check_every: Annotated[Duration, why("How often plan files are looked at for edits.", ge=0.1, le=3600.0)] = 1.0
    canary: Annotated[
        tuple[HostPattern, ...], why("Hosts that get an edited plan first; if one refuses it, no other host gets it.")
    ] = ()
    canary_wait: Annotated[Duration, why("How long before the others get it.", ge=1.0, le=DAY)] = 60.0


class Beacon(Struct, frozen=True):
    """What tells agents where this server is."""

    port: Annotated[Port, why("The UDP port on which agents listen for beacons.")] = 4361
    every: Annotated[Duration, why("How often this server says that it is here.", ge=0.1, le=3600.0)] = 5.0
    to: Annotated[tuple[Address, ...], why("Where beacons go; empty: the broadcast address of every interface.")] = ()
    multicast: Annotated[MulticastGroup, why('Beacons also go to this multicast group; "": to none.')] = "239.255.4.36"


class Heartbeat(Struct, frozen=True):
    """When a host is late, and when it is down."""

    every: Annotated[Duration, why("How often hosts beat, unless their plan says otherwise.", ge=0.1, le=3600.0)] = 5.0
    late: Annotated[Duration, why("After how much silence a host is late; at least twice every.", ge=0.2, le=DAY)] = (
        15.0
    )
    pings: Annotated[int, why("How often a late host is asked, once a second, before it is down.", ge=0, le=60)] = 3
    unknown_after: Annotated[
        Duration, why("How long a host that has a plan may stay unheard until that is an event.", ge=1.0, le=30 * DAY)
    ] = 120.0
    flapping_changes: Annotated[
        int, why("How many times a host goes down or comes back until it is said to flap; 0: never.", ge=0, le=100)
    ] = 4
    flapping_within: Annotated[
        Duration, why("Within which time, and how long it must hold still until it is told of again.", ge=1.0, le=DAY)
    ] = 600.0
    isolated_hold: Annotated[
        Duration, why("How long verdicts wait when a third of all hosts fall silent at once.", ge=1.0, le=DAY)
    ] = 60.0

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if self.late < 2 * self.every:
            yield ("late",), f"must be at least twice every, which is {spelt(self.every)}; it is {spelt(self.late)}"


class Events(Struct, frozen=True):
    """The events file, which people tail."""

    file: Annotated[FilePath, why("Every event, one JSON line each.")] = "../var/events.jsonl"
    rotate_at: Annotated[Size, why("The size at which a new file is begun.", ge=4096)] = 64 << 20
    rotate_every: Annotated[Duration, why("The age at which a new file is begun.", ge=60.0, le=3650 * DAY)] = DAY
    keep: Annotated[int, why("How many of the old files are kept.", ge=0, le=100_000)] = 14


class Poll(Struct, frozen=True):
    """Status pages that are asked again and again."""

    inventory: Annotated[
        FilePath, why("A file with a host, host:port or URL a line; it is read again when edited.")
    ] = ""
    targets: Annotated[tuple[str, ...], why("Further hosts or URLs, beside those of the inventory.")] = ()
    plans: Annotated[bool, why("Also the hosts whose plan has a status_url, once they were heard.")] = False
    url: Annotated[str, why("The page of a host; {server} stands for what the inventory says.")] = PATTERN
    every: Annotated[Duration, why("How often all of them are asked.", ge=0.5, le=DAY)] = 30.0
    jitter: Annotated[
        Duration, why("A round begins up to this much later, drawn anew for each.", ge=0.0, le=3600.0)
    ] = 1.0
    timeout: Annotated[
        Duration, why("How long a target may take, from its name to its last byte.", ge=0.1, le=300.0)
    ] = 5.0
    retries: Annotated[int, why("How often one that refuses is asked again within that time.", ge=0, le=10)] = 0
    fail_after: Annotated[
        int, why("In how many of its last rounds a target must fail to be told of ...", ge=1, le=100)
    ] = 2
    of: Annotated[int, why("... out of so many.", ge=1, le=100)] = 3
    body: Annotated[
        Literal["status", "any"], why("status: JSON with Application and Version; any: whatever comes with status 2xx.")
    ] = "status"
    headers: Annotated[dict[str, str], why("Header fields of every request, such as Authorization.")] = {}
    ca: Annotated[FilePath, why("For https: PEM certificates that are trusted instead of the system's.")] = ""
    insecure: Annotated[bool, why("For https: believe whoever answers.")] = False
    canary: Annotated[str, why("A host or URL that always answers: if it does not, a round is not trusted.")] = ""

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if not (self.inventory or self.targets or self.plans):
            yield ("inventory",), "must be given, unless there are targets, or plans that announce them"
        if self.of < self.fail_after:
            yield ("of",), f"must be at least fail_after, which is {self.fail_after}; it is {self.of}"
        if self.timeout > self.every:
            yield ("timeout",), f"must be at most every, which is {spelt(self.every)}; it is {spelt(self.timeout)}"
        if wrong := pattern_problem(self.url):
            yield ("url",), wrong
        for place, written in [
            *((("targets", n), each) for n, each in enumerate(self.targets)),
            (("canary",), self.canary),
        ]:
            if written and (wrong := _line_problem(written, self.url)):
                yield place, wrong
        for name, value in self.headers.items():
            if not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
                yield ("headers", name), "cannot be sent as a header field"


class Settings(Struct, frozen=True):
    """Everything that can be set, as etc/monitor436.yaml says it."""

    name: Annotated[HostName, why('This server\'s name in beacons and events; "": the name of this machine.')] = ""
    state: Annotated[FilePath, why("Keys, last-seen times and other state are kept in this folder.")] = "../var"
    agents: Annotated[Agents, why("The door of heartbeats and events (UDP).")] = Agents()
    plans: Annotated[Plans, why("Plans of hosts, and the door where hosts join and fetch them (TLS).")] = Plans()
    beacon: Annotated[Beacon, why("How agents find this server with nothing typed.")] = Beacon()
    heartbeat: Annotated[Heartbeat, why("When a host is late, and when it is down.")] = Heartbeat()
    events: Annotated[Events, why("The file that holds every event; made to be followed with tail -F.")] = Events()

    polls: Annotated[dict[str, Poll], why("Status pages to be asked, by a name of yours (docs/polls.md).")] = {}

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        for name in self.polls:
            if not _POLL.fullmatch(name):
                yield ("polls", name), "a poll's name has letters, digits, - and _ only, at most 64"
        if self.agents.port and self.beacon.port == self.agents.port:
            yield ("beacon", "port"), f"must differ from agents.port, which is {self.agents.port} (both are UDP)"


def _line_problem(written: str, pattern: str) -> str:
    try:
        read_line(written, pattern)
    except ValueError as wrong:
        return str(wrong)
    return ""


def render(settings: Settings) -> str:
    """`settings` as a settings file, each with its one line of why. Reading it gives equal settings."""
    return HEADING + "".join(f"{line}\n" for line in _lines(settings, ""))


def _lines(section: Struct, indent: str) -> Iterator[str]:
    for field in type_info(type(section)).fields:  # type: ignore[attr-defined]
        value = getattr(section, field.name)
        if value == "" and field.default == "" and (field.type.extra or {}).get("reads") == "path":
            continue  # a path is given or not: there is no empty one
        inner = isinstance(value, Struct) or (isinstance(value, dict) and bool(value))
        if not indent:
            yield ""
        yield f"{indent}# {field.type.extra_json_schema['description']}"
        yield f"{indent}{field.name}:" + ("" if inner else " " + _written(value, field.type))
        if isinstance(value, Struct):
            yield from _lines(value, indent + "  ")
        elif inner:
            yield from _entries(value, indent + "  ")


def _entries(entries: dict[str, Struct | str], indent: str) -> Iterator[str]:
    for name, value in entries.items():
        written = "" if isinstance(value, Struct) else " " + json.dumps(value, ensure_ascii=False)
        yield f"{indent}{json.dumps(name)}:{written}"
        if isinstance(value, Struct):
            yield from _lines(value, indent + "  ")


def _written(value: object, kind: Type) -> str:
    """A value as YAML that is read back as the same."""
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_written(item, kind.type.item_type) for item in value)}]"  # type: ignore[attr-defined]
    extra = kind.extra if isinstance(kind, Metadata) else None
    text = WRITES.get((extra or {}).get("reads", ""), str)(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
