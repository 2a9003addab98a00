"""Settings of what hosts meet: the UDP door, plans and the TLS door, beacons, heartbeats."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Struct

from monitor436.agent.plan import spelt
from monitor436.model.settings.said import DAY, Port, why
from monitor436.model.source import Path
from monitor436.model.units import Address, Duration, FilePath, HostPattern, MulticastGroup, Size


class Agents(Struct, frozen=True):
    """The door of heartbeats and events, UDP."""

    address: Annotated[Address, why("The address to listen on; 0.0.0.0: all of this machine.")] = "0.0.0.0"
    port: Annotated[Port, why("The UDP port; 0: any free one.")] = 4360
    receive_buffer: Annotated[
        Size, why("How much the kernel keeps for us while we are busy: 10,000 agents at once need it.", ge=4096)
    ] = 12 << 20
    events_each: Annotated[
        int, why("How many events a second of one host are taken, over a minute; the rest waits there. 0: all.", ge=0)
    ] = 500


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
