"""What the rehearsal plays on: a folder of its own, a server, and agents under names of their own."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import structs
from treq.client import HTTPClient
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.client import Agent

from monitor436.application import Monitor, make_service
from monitor436.demo.local_agent import start_agent
from monitor436.demo.receiver import Receiver
from monitor436.demo.ssh_fleet import SshFleet
from monitor436.demo.status_pages import StatusPages
from monitor436.model.event import Event
from monitor436.model.settings.events import Events
from monitor436.model.settings.hosts import Agents, Beacon, Heartbeat, Plans
from monitor436.model.settings.http import Http
from monitor436.model.settings.notify import Notify, Webhook
from monitor436.model.settings.whole import Settings
from monitor436.packer import pack
from monitor436.services.agent_file import packed
from monitor436.site import Site

NotSeen = defer.TimeoutError
COMMAND = "from monitor436.cli import main; main()"
HOSTS = ("web1", "web2", "db1")
LOOPBACK = "127.0.0.1"
BROADCAST = "127.255.255.255"
PLAN = """\
hosts: ["*"]
checks:
  app errors:
    log: {folder}/app.log
    match: ["ERROR"]
    severity: warning
  root full:
    reading: filesystem_used_percent
    of: /
    every: 1s
    warning: above 99
"""
MORE = """\
  load:
    reading: load1
    every: 1s
    warning: above 10000
"""
BAD = """\
  typo:
    reading: laod1
    warning: above 3
"""


class Stage:
    """A site in `folder`. `tell(line)` gets what agents say; `wrong_key` packs agents that must fail."""

    def __init__(self, folder: Path, reactor: Any, tell: Callable[[str], None], wrong_key: bool = False) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.agents: dict[str, Any] = {}
        self._reactor = reactor
        self._tell = tell
        self._waiting: list[tuple[Callable[[Event], bool], Deferred[Event]]] = []
        self._wrong_key = wrong_key
        (folder / "agents").mkdir(parents=True)
        self.log = folder / "app.log"
        self.log.write_text("")
        self.plan(PLAN)
        self.ssh = SshFleet(folder / "ssh", reactor)
        self.pages = StatusPages(folder / "pages", LOOPBACK, reactor)
        self.receiver = Receiver(LOOPBACK, reactor)
        told = Notify(webhook={"receiver": Webhook(url=self.receiver.url)}, group_wait=0.2)
        self._beacons = held_port()
        port = self._beacons.getsockname()[1]
        self.settings = structs.replace(settings(folder, port), sweeps={"fleet": self.ssh.sweep}, notify=told)
        self.monitor: Monitor = make_service(self.settings, reactor)
        self.monitor.bus.subscribe(self._heard)

    def plan(self, text: str) -> None:
        """Write the plan of all hosts."""
        (self.folder / "agents" / "all.yaml").write_text(text.format(folder=self.folder))

    def start(self, host: str) -> None:
        """Start the agent of a host; all have the same file, with nothing but a name and a folder of its own typed."""
        file = self._agent_file()
        state = self.folder / host
        process = start_agent(self._reactor, file, state, lambda line: self._tell(f"{host}: {line}"), "--name", host)
        self.agents[host] = process

    def kill(self, host: str) -> None:
        """End an agent without a goodbye, if it has not ended: Ctrl-C at a terminal goes to the agents, too."""
        with suppress(ProcessExitedAlready):
            self.agents.pop(host).signalProcess("KILL")

    def stop(self) -> None:
        """End all agents, and whoever answers."""
        self.ssh.close()
        self.pages.close()
        self.receiver.close()
        for host in list(self.agents):
            self.kill(host)
        self._beacons.close()

    def seen(self, wanted: Callable[[Event], bool], timeout: float) -> Deferred[Event]:
        """The first event since `forget`, or the next, that is `wanted`; `NotSeen` after `timeout` seconds."""
        waits: Deferred[Event] = Deferred()
        for event in self.events:
            if wanted(event):
                waits.callback(event)
                return waits
        self._waiting.append((wanted, waits))
        return waits.addTimeout(timeout, self._reactor)

    def pause(self, seconds: float) -> Deferred[None]:
        """So much later."""
        waits: Deferred[None] = Deferred()
        self._reactor.callLater(seconds, waits.callback, None)
        return waits

    async def command(self, *words: str) -> tuple[int, str, str]:
        """A `monitor436` command as a user starts it: its status, what it printed, and what it complained of."""
        argv = ["-c", COMMAND, *words]
        out, err, status = await getProcessOutputAndValue(
            sys.executable, argv, dict(os.environ), str(self.folder), self._reactor
        )
        return status, out.decode(), err.decode()

    async def page(self, url: str) -> Any:
        """The JSON of a page."""
        client = HTTPClient(Agent(self._reactor))
        return await (await client.get(url, timeout=5)).json()

    def forget(self) -> None:
        """From now on only new events count."""
        self.events.clear()

    def _heard(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.append(event)
            for wanted, waits in list(self._waiting):
                if wanted(event):
                    self._waiting.remove((wanted, waits))
                    if not waits.called:
                        waits.callback(event)

    def _agent_file(self) -> Path:
        """The file the server wrote; or one that was packed for another site, which nobody answers."""
        written = self.monitor.getServiceNamed("agent file").path
        if not self._wrong_key:
            return Path(written)
        other = Site(self.folder / "other-site")
        ports = self.monitor.getServiceNamed("agents").port, self.settings.beacon.port
        path = self.folder / "wrong.pyz"
        path.write_bytes(pack(packed(other, ports, "", "no-token")))
        return path


def settings(folder: Path, beacons: int) -> Settings:
    """Settings for loopback: free ports, a pace of half a second, nothing outside the folder."""
    return structs.replace(
        Settings(),
        name="demo",
        state=str(folder / "var"),
        agents=Agents(address=LOOPBACK, port=0),
        plans=Plans(folder=str(folder / "agents"), address=LOOPBACK, port=0, check_every=0.2),
        beacon=Beacon(port=beacons, every=0.5, to=(BROADCAST,), multicast=""),
        heartbeat=Heartbeat(every=0.5, late=1.5, pings=1),
        http=Http(listen=f"{LOOPBACK}:0", without_token=("read", "metrics")),
        events=Events(file=str(folder / "var" / "events.jsonl")),
    )


def held_port() -> socket.socket:
    """A UDP port that nobody else is given until it is closed. Agents, who start and end meanwhile, share it."""
    holds = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holds.bind(("", 0))
    holds.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not before: it would be given somebody else's
    return holds
