"""The whole rig: two servers and three hosts on one segment, harmed for a time, healed, emptied, stopped, judged."""

import shutil
import time
from pathlib import Path

from tests.e2e.patience import eventually
from tests.e2e.servers import SOON
from tests.faults.chaos import Chaos
from tests.faults.disk import made_shim
from tests.faults.judgement import Judgement, judge, missing
from tests.faults.machines import HostMachine, Machine, ServerMachine, made_host, made_server
from tests.faults.segment import Segment, made_segment

SERVERS, HOSTS = ("s1", "s2"), ("h1", "h2", "h3")
HARM = {"loss": 0.1, "double": 0.1, "late": 0.1}  # of all frames, each way
DRAINED = 90.0  # seconds in which everything has arrived once all is well
AGENT_DISK, SERVER_DISK = 8 << 20, 16 << 20  # bytes
NOT_KEPT = shutil.ignore_patterns(".filler", ".shadows")
LINE_ROOM = 2000  # bytes on a server's disk for each second, so that nothing is full but by a fault


class Rig:
    """Everything that runs, in `folder`. Raises SkipTest where it cannot be had. `notes`: what cannot be tried here."""

    def __init__(self, folder: Path, seed: int, seconds: float) -> None:
        self.notes: list[str] = []
        self.folder = folder
        self.seconds = seconds
        self.drained = 0.0  # seconds until everything had arrived
        self.segment: Segment = made_segment([*SERVERS, *HOSTS], seed)
        self.servers: list[ServerMachine] = []
        self.hosts: list[HostMachine] = []
        shim, why = made_shim(folder)
        if why:
            self.notes.append(why)
        try:
            self._build(shim, seconds)
        except BaseException:
            self.close()
            raise
        self.chaos = Chaos(self.segment, self.servers, self.hosts, seed, bool(shim))

    @property
    def machines(self) -> list[Machine]:
        """Servers, then hosts."""
        return [*self.servers, *self.hosts]

    def begin(self) -> None:
        """Every host has joined, is known to both servers, and follows its log."""
        for server in self.servers:
            for host in self.hosts:
                server.runs.follow(host.runs.log, host.name)
        for machine in self.machines:
            machine.start()
        for host in self.hosts:
            eventually(host.follows, SOON, f"{host.name} follows its log")
        self.segment.harm(**HARM)

    def run(self) -> None:
        """Harm everything, then let it come to rest."""
        self.chaos.run(self.seconds)
        self.segment.harm()
        begun = time.monotonic()
        eventually(self._arrived, DRAINED, "every line is in an events file", poll=0.5)
        self.drained = time.monotonic() - begun
        for machine in reversed(self.machines):
            machine.stop()

    def judge(self) -> Judgement:
        """What came of it."""
        return judge(self.servers, self.hosts, self.folder)

    def exceptions(self) -> list[str]:
        """What programs said that they did not expect."""
        return [f"{each.name}: {text}" for each in self.machines for text in _tracebacks(each.runs.output)]

    def keep(self, folder: Path) -> None:
        """Copy all that tells what happened."""
        for machine in self.machines:
            machine.kill()  # a file that is replaced or removed meanwhile could not be copied
        (folder / "story").write_text("\n".join(self.chaos.story))
        shutil.copytree(self.folder, folder / "rig", symlinks=True, ignore=NOT_KEPT)

    def close(self) -> None:
        """Remove everything."""
        for machine in self.machines:
            machine.kill()
            machine.disk.close()
        self.segment.close()

    def _build(self, shim: str, seconds: float) -> None:
        room = SERVER_DISK + int(seconds * LINE_ROOM * len(HOSTS) * 20)
        for name in SERVERS:
            self.servers.append(made_server(self.folder, self.segment, name, room, shim))
        first = self.servers[0].runs.start()
        first.stop()
        file = self.folder / "agent436.pyz"
        shutil.copy2(first.agent_file(), file)
        for server in self.servers[1:]:
            shutil.copytree(first.var / "site", server.runs.var / "site")
        for name in HOSTS:
            self.hosts.append(made_host(self.folder, self.segment, name, file, AGENT_DISK, shim))

    def _arrived(self) -> bool:
        for machine in self.machines:
            machine.look()
        try:
            return not missing(self.servers, self.hosts)
        except FileNotFoundError:  # rotated after it was listed
            return False


def _tracebacks(output: str) -> list[str]:
    found = []
    for sign in ("Traceback", "Unhandled"):
        at = output.find(sign)
        if at >= 0:
            found.append(output[max(0, at - 500) : at + 3000])
    return found
