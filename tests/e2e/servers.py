"""One site: a folder with settings and plans, its server, and what can be seen of it from outside."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from monitor436.model.settings.events import Events
from monitor436.model.settings.hosts import Agents, Beacon, Heartbeat, Plans
from monitor436.model.settings.http import Http
from monitor436.model.settings.rendered import render
from monitor436.model.settings.whole import Settings
from tests.e2e.patience import eventually
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.processes import MONITOR436, TWISTD, Process, run

BROADCAST = "127.255.255.255"
SOON = 30.0  # seconds in which whatever is to happen has happened, also on a machine that is busy with other tests
LOOK = 0.2  # seconds between looks at plan files
UP = "events file:"  # what a server says when it runs
PACE = Heartbeat(every=0.5, late=1.5, pings=1)
CALM = Heartbeat(every=0.5, late=4.0, pings=3)  # for tests in which nobody may be called late, on any machine
LOG_PLAN = """\
hosts: ["{hosts}"]
checks:
  lines of {hosts}:
    log: {log}
    match: ["line"]
"""


def on_loopback(name: str = "srv") -> Settings:
    """Settings for a server that nobody outside this machine can hear."""
    return structs.replace(
        Settings(),
        name=name,
        agents=Agents(address=LOOPBACK, port=free_port()),
        plans=Plans(address=LOOPBACK, port=free_port(), check_every=LOOK),
        beacon=Beacon(port=free_port(), every=0.5, to=(BROADCAST,), multicast=""),
        heartbeat=PACE,
        http=Http(listen=f"{LOOPBACK}:{free_port()}"),
    )


def calm(name: str = "srv") -> Settings:
    """Settings on loopback for tests in which nobody may be called late."""
    return structs.replace(on_loopback(name), heartbeat=CALM)


def on_segment(name: str) -> Settings:
    """The settings as they come, with a quicker pace."""
    given = Settings()
    beacon, plans = structs.replace(given.beacon, every=0.5), structs.replace(given.plans, check_every=LOOK)
    return structs.replace(given, name=name, beacon=beacon, plans=plans, heartbeat=PACE)


class Server:
    """A server in `folder`, run by real commands; `prefix` is what puts them elsewhere. It starts with `start()`."""

    def __init__(self, folder: Path, settings: Settings, prefix: Sequence[str] = ()) -> None:
        self.folder = folder
        self.var = folder / "var"
        self.file = self.var / "events.jsonl"
        self.plans = folder / "plans"
        self.plans.mkdir(parents=True)
        self.settings = structs.replace(
            settings,
            state=str(self.var),
            plans=structs.replace(settings.plans, folder=str(self.plans)),
            events=Events(file=str(self.file)),
        )
        self.config = folder / "monitor436.yaml"
        self.config.write_text(render(self.settings))
        self.prefix = list(prefix)
        self.process: Process | None = None
        self._read: list[dict[str, Any]] = []
        self._offset = 0

    def start(self) -> "Server":
        """Run it; returns when it listens."""
        self.process = self.launch([*TWISTD, "monitor436", "-c", self.config])
        self.process.says(UP, SOON)
        return self

    def launch(self, argv: Sequence[str | Path]) -> Process:
        """A command in the place where this server is."""
        self.process = Process(argv, self.folder / "server.log", self.prefix, self.folder)
        return self.process

    def stop(self) -> int:
        """End it cleanly; its status."""
        assert self.process is not None
        return self.process.stop()

    def kill(self) -> None:
        """End it if it runs, as a power cut would."""
        if self.process is not None:
            self.process.kill()

    def hang_up(self) -> None:
        """Have it read its files anew."""
        assert self.process is not None
        self.process.send(signal.SIGHUP)

    @property
    def output(self) -> str:
        """What all its runs have said."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def plan(self, text: str, name: str = "all.yaml") -> None:
        """Write a plan file; a server that runs sees it whole, or not at all."""
        path = self.plans / name
        new = path.with_name(f".{path.name}")  # hidden ones are no plans
        new.write_text(text)
        new.replace(path)

    def follow(self, log: Path, hosts: str = "*") -> None:
        """Plan that these hosts tell every line of a log that has the word `line` in it."""
        name = f"{hosts}.yaml".replace("*", "all")
        self.plan(LOG_PLAN.format(hosts=hosts, log=log), name)

    def agent_file(self) -> Path:
        """The file that is dropped on hosts."""
        return self.var / "agent436.pyz"

    def command(self, *words: str) -> tuple[int, str]:
        """Status and output of `monitor436 WORDS -c SETTINGS`."""
        return run([*MONITOR436, *words, "-c", self.config], self.prefix)

    def hosts(self) -> dict[str, dict[str, Any]]:
        """What `monitor436 hosts --json` lists, by name."""
        status, text = self.command("hosts", "--json")
        assert status in (0, 1) and text.startswith("{"), text
        return {host["name"]: host for host in json.loads(text)["hosts"]}

    def verify(self, *files: Path) -> tuple[int, str]:
        """Status and verdict of `monitor436 verify`."""
        return run([*MONITOR436, "verify", *(files or [self.file])])

    def events(self, **wanted: str) -> list[dict[str, Any]]:
        """The events in the file so far, those that have these keys and values."""
        if self.file.exists():
            with open(self.file, "rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    self._offset += len(line)
                    try:
                        self._read.append(json.loads(line))
                    except ValueError:  # torn when the server was killed, and finished when it started again
                        continue
        return [event for event in self._read if all(event.get(key) == value for key, value in wanted.items())]

    def event(self, seconds: float = SOON, after: int = 0, **wanted: str) -> dict[str, Any]:
        """The first such event after the first `after` of them, waited for."""
        found = eventually(lambda: self.events(**wanted)[after:], seconds, f"{wanted} after {after} of them")
        return found[0]

    def follows(self, host: str, checks: int = 1) -> dict[str, Any]:
        """The event that a plan of so many checks is in force on a host, waited for: another one may come first."""
        told = f"in force: {checks} check"
        found = eventually(
            lambda: [each for each in self.events(host=host, kind="plan_in_force") if told in each["text"]],
            SOON,
            f"{host} follows a plan of {checks}",
        )
        return found[-1]

    def troubles(self, trouble: str) -> list[dict[str, Any]]:
        """What the server has told of one of its troubles; a busy machine may bring about others."""
        return [event for event in self.events(kind="server_trouble") if event["fields"]["trouble"] == trouble]

    def lines(self, host: str) -> list[str]:
        """The log lines that a host has told, in the order of the file."""
        return [event["text"] for event in self.events(host=host, kind="log_line")]
