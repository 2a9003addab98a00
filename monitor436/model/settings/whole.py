"""The settings of a server: every one has a default, so an empty file works."""

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from monitor436.model.settings.events import Events
from monitor436.model.settings.hosts import Agents, Beacon, Heartbeat, Plans
from monitor436.model.settings.http import Http
from monitor436.model.settings.metrics import Metrics, Role
from monitor436.model.settings.notify import Notify
from monitor436.model.settings.polls import Poll
from monitor436.model.settings.redis import Redis
from monitor436.model.settings.said import why
from monitor436.model.settings.status import Status
from monitor436.model.settings.sweeps import Sweep
from monitor436.model.source import Path
from monitor436.model.units import FilePath, HostName

_POLL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # names of polls are names of files too


class Settings(Struct, frozen=True):
    """Everything that can be set, as etc/monitor436.yaml says it."""

    name: Annotated[HostName, why('This server\'s name in beacons and events; "": the name of this machine.')] = ""
    state: Annotated[FilePath, why("Keys, last-seen times and other state are kept in this folder.")] = "../var"
    agents: Annotated[Agents, why("The door of heartbeats and events (UDP).")] = Agents()
    plans: Annotated[Plans, why("Plans of hosts, and the door where hosts join and fetch them (TLS).")] = Plans()
    beacon: Annotated[Beacon, why("How agents find this server with nothing typed.")] = Beacon()
    heartbeat: Annotated[Heartbeat, why("When a host is late, and when it is down.")] = Heartbeat()
    events: Annotated[Events, why("The file that holds every event; made to be followed with tail -F.")] = Events()
    status: Annotated[Status, why("What depends on what, and when a check flaps (docs/status.md).")] = Status()
    notify: Annotated[Notify, why("Who is told of trouble, and how (docs/notifications.md).")] = Notify()

    http: Annotated[Http, why("The HTTP door: API, metrics, OpenAPI document (docs/http.md).")] = Http()
    redis: Annotated[Redis, why("A Redis or Valkey that several servers and workers share (docs/workers.md).")] = (
        Redis()
    )
    roles: Annotated[
        tuple[Role, ...],
        why("receiver: metrics are taken; summariser: summaries are answered. With Redis these may be two servers."),
    ] = ("receiver", "summariser")
    metrics: Annotated[Metrics, why("Summaries of metrics, by minute and by hour (docs/metrics.md).")] = Metrics()
    polls: Annotated[dict[str, Poll], why("Status pages to be asked, by a name of yours (docs/polls.md).")] = {}
    sweeps: Annotated[dict[str, Sweep], why("Hosts to be asked over ssh, by a name of yours (docs/uptime.md).")] = {}

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        for name in self.polls:
            if not _POLL.fullmatch(name):
                yield ("polls", name), "a poll's name has letters, digits, - and _ only, at most 64"
        for name in self.sweeps:
            if not _POLL.fullmatch(name):
                yield ("sweeps", name), "a sweep's name has letters, digits, - and _ only, at most 64"
        if not self.roles:
            yield ("roles",), "a server has at least one role"
        elif set(self.roles) != {"receiver", "summariser"} and self.metrics.store != "redis":
            yield ("roles",), "one role alone needs metrics.store: redis, which the other server shares"
        if self.metrics.store == "redis" and not self.redis.address:
            yield ("metrics", "store"), "needs redis.address"
        if self.agents.port and self.beacon.port == self.agents.port:
            yield ("beacon", "port"), f"must differ from agents.port, which is {self.agents.port} (both are UDP)"
