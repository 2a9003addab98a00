"""The machines of the rig: each with its place on the segment, its disk, and what runs on it."""

import random
import signal
from pathlib import Path

from msgspec import structs

from monitor436.model.settings.events import Events
from monitor436.model.settings.rendered import render
from tests.e2e.processes import TWISTD
from tests.e2e.servers import Server, on_segment
from tests.e2e.stage import Agent
from tests.faults.disk import Disk
from tests.faults.segment import Segment

ROTATE_AT = 64 << 10  # bytes of an events file: it is rotated every few seconds
KEEP = 100_000  # rotated files: none is removed
OLD_LOGS = 20  # of an application


class Machine:
    """A machine on which `runs` (a server or an agent) is kept running, as an init system would.

    `faults` are what is wrong with it at present.
    """

    def __init__(self, name: str, runs: Server | Agent, disk: Disk) -> None:
        self.name = name
        self.runs = runs
        self.disk = disk
        self.faults: set[str] = set()
        self.starts = 0
        self._off = True

    def start(self) -> None:
        """Have it run from now on."""
        self._off = False
        self.look()

    def look(self) -> None:
        """Start it if it has ended: by a fault, or because it could not even start."""
        if not self._off and (self.runs.process is None or not self.runs.process.runs):
            self.starts += 1
            self.launch()

    def launch(self) -> None:
        """Start it, and do not wait for what comes of it."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it at once, and leave it so."""
        self._off = True
        self.runs.kill()

    def cut_power(self, dice: random.Random) -> int:
        """End it at once, and take back what the disk need not have kept; how much that was."""
        self.kill()
        return self.disk.cut_power(dice)

    def freeze(self) -> None:
        """Let it stand still."""
        assert self.runs.process is not None
        self.runs.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.runs.process is not None
        self.runs.process.send(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._off = True
        if self.runs.process is not None and self.runs.process.runs:
            self.runs.stop()


class ServerMachine(Machine):
    """A server whose state is on the disk."""

    runs: Server

    def launch(self) -> None:
        self.runs.launch([*TWISTD, "monitor436", "-c", self.runs.config])

    def files(self) -> list[Path]:
        """Its events files."""
        return sorted(self.runs.var.glob("events.jsonl*"))


class HostMachine(Machine):
    """An agent whose state is on the disk, and an application that writes a log elsewhere."""

    runs: Agent
    written = 0
    rotated = 0

    def launch(self) -> None:
        self.runs.start()

    def follows(self) -> bool:
        """Whether its agent has said that its plan is in force."""
        return "in force: 1 check" in self.runs.output

    def write(self, count: int) -> None:
        """The application says something."""
        numbers = range(self.written + 1, self.written + count + 1)
        self.runs.write([line(self.name, number) for number in numbers])
        self.written += count

    def rotate(self) -> None:
        """Its log is rotated, as logrotate does by default: by renaming, and numbered."""
        log = self.runs.log
        for number in range(OLD_LOGS, 0, -1):
            old = log.with_name(f"{log.name}.{number}")
            if old.exists():
                old.rename(log.with_name(f"{log.name}.{number + 1}"))
        log.rename(log.with_name(f"{log.name}.1"))
        log.touch()
        self.rotated += 1


def line(host: str, number: int) -> str:
    """What an application writes."""
    return f"line {number} of {host}"


def made_server(folder: Path, segment: Segment, name: str, size: int, shim: str) -> ServerMachine:
    """A server that is not started."""
    disk = Disk(folder / "disks" / name, size, shim)
    server = Server(folder / name, on_segment(name), [*segment.hosts[name].prefix, *disk.prefix()])
    server.var = disk.at
    server.file = disk.at / "events.jsonl"
    events = Events(file=str(server.file), rotate_at=ROTATE_AT, keep=KEEP)
    server.settings = structs.replace(server.settings, state=str(disk.at), events=events)
    server.config.write_text(render(server.settings))
    return ServerMachine(name, server, disk)


def made_host(folder: Path, segment: Segment, name: str, file: Path, size: int, shim: str) -> HostMachine:
    """A host whose agent is not started; `file` is what was packed."""
    disk = Disk(folder / "disks" / name, size, shim)
    prefix = [*segment.hosts[name].prefix, *disk.prefix()]
    return HostMachine(name, Agent(folder / name, file, prefix, ["--state", str(disk.at / "state")]), disk)
