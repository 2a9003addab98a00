"""A host on which everything goes wrong at once: heartbeats stay on time, memory stays small, nothing stays behind.

M436_RUNS=10000: that many runs of short programs, instead of a few hundred, in about M436_RUNS / 60 seconds.
"""

import contextlib
import os
import signal
import threading
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from msgspec import structs

from monitor436.agent import wire
from monitor436.agent.store.statement import FOLDER
from monitor436.model.settings.hosts import Beacon, Heartbeat
from tests.e2e.patience import eventually, pause
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.servers import on_loopback
from tests.e2e.stage import Agent, Stage
from tests.e2e.wiretap import Wiretap

BEAT = 5.0  # seconds between heartbeats, as the settings say by themselves
LARGEST = 1.2  # intervals between two of them
HOSTILE_FOR = 11.0  # seconds
MEMORY = 64.0  # MiB
RUNS = int(os.environ.get("M436_RUNS", "300"))
RUNS_A_SECOND = 15  # at least; the plan asks for more
FILES = 100_000
FAST = "/dev/shm" if os.path.isdir("/dev/shm") else None  # where so many are made in a second
PATIENCE = 60.0  # seconds for what takes a few, on a machine that has other things to do
HOLE = 1 << 40  # bytes
MARK = f"436436.{os.getpid()}"  # seconds of sleep, by which what our programs leave behind is known
HOSTILE = f"""
  hangs: [sleep, {MARK}]
  forks: [sh, -c, "for i in 1 2 3 4 5 6 7 8; do sleep {MARK} & done; wait"]
  floods: [sh, -c, "yes & yes & yes; sleep {MARK}"]
  ignores TERM: [sh, -c, "trap '' TERM HUP INT; while :; do sleep {MARK}; done"]
  closes its output: [sh, -c, "exec >&- 2>&-; exec sleep {MARK}"]
  leaves a child: [sh, -c, "sleep {MARK} & exit 0"]
  is not there: [/no/such/program]
"""
HUNG = ("hangs", "forks", "floods", "ignores TERM", "closes its output")
CHECK = "\n  "  # what stands before each in a plan
EXPLODING = "(a+)+$"  # a pattern that takes for ever on this:
TEXT = "a" * 60 + "!"


def plan(folder: Path) -> str:
    """All of it at once."""
    checks = [
        f"{line.rstrip().replace(': [', ': {command: [')}, every: 1s, timeout: 500ms}}"
        for line in HOSTILE.splitlines()
        if line
    ]
    checks += [f'  explodes {number}: {{log: {folder}/text.log, match: ["{EXPLODING}"]}}' for number in range(20)]
    for name in ("fifo", "endless", "sparse", "folder", "glob/*.log", "zero", "null"):
        checks.append(f'  {name.replace("*", "all")}: {{log: "{folder}/{name}", match: ["line"]}}')
    checks.append('  device: {log: /dev/zero, match: ["line"]}')
    checks.append(f'  plain: {{log: {folder}/plain.log, match: ["line"], text: "{{line}}"}}')
    return 'hosts: ["*"]\nchecks:\n' + "\n".join(checks) + "\n"


class Writers:
    """What the host does meanwhile: a file with a hole, a line that never ends, text that explodes, and good lines."""

    def __init__(self, folder: Path) -> None:
        self.lines = 0
        self._folder = folder
        self._ends = threading.Event()
        with open(folder / "sparse", "wb") as sparse:
            sparse.seek(HOLE)
            sparse.write(b"\nline behind a hole\n")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Write no more."""
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.ExitStack() as files:
            endless, text, plain, few = (
                files.enter_context(open(self._folder / name, "a", buffering=1))
                for name in ("endless", "text.log", "plain.log", "glob/50000.log")
            )
            while not self._ends.wait(0.1):
                endless.write("x" * 1_000_000)
                endless.flush()
                text.write(f"{TEXT}\n")
                self.lines += 1
                plain.write(f"line {self.lines}\n")
                few.write(f"line {self.lines}\n")


@pytest.mark.alone
class HostileHostTests(Stage):
    """A real agent, a real server, and a relay between them that knows when each datagram came."""

    def setUp(self) -> None:
        self.addCleanup(end_what_is_left)
        super().setUp()
        say, self.hears = free_port(), free_port()
        settings = structs.replace(
            on_loopback(),
            beacon=Beacon(port=say, every=0.5, to=(LOOPBACK,), multicast=""),
            heartbeat=Heartbeat(every=BEAT, late=3 * BEAT, pings=3),
        )
        self.site = self.server(settings).start()
        key = (self.site.var / "site" / "site.key").read_bytes()
        self.tap = Wiretap(say, self.hears, self.site.settings.agents.port, wire.beacon_key(key))
        self.addCleanup(self.tap.close)

    def host(self, text: str) -> Agent:
        """An agent that follows this plan."""
        self.site.plan(text)
        agent = self.agent(self.site, "h1", "--port", str(self.hears), "--commands", "any", "--logs", "any").start()
        self.site.follows("h1", text.count(CHECK))
        return agent

    def gaps(self) -> list[float]:
        """Seconds between heartbeats that the agent sent."""
        beats = [each.at for each in self.tap.seen if each.kind == "BEAT"]
        return [later - earlier for earlier, later in pairwise(beats)]

    def assert_nothing_is_left(self, agent: Agent, files: int) -> None:
        """With an empty plan the agent holds what it held before; no child lives, or is dead and not buried."""
        told = len(self.site.events(host="h1", kind="plan_in_force"))
        self.site.plan('hosts: ["*"]\nchecks: {}\n')
        self.assertIn("0 checks", self.site.event(host="h1", kind="plan_in_force", after=told)["text"])
        eventually(lambda: not children(agent) and not left_behind(), PATIENCE, "every program has ended")
        eventually(lambda: open_files(agent) <= files, PATIENCE, f"{files} files are open again")
        self.assertEqual(children(agent), [])

    def test_everything_at_once(self) -> None:
        """Programs, files, lines and patterns of the worst kind, all in one plan."""
        made(self.folder, Path(self.enterContext(TemporaryDirectory(prefix="m436-", dir=FAST))))
        agent = self.host('hosts: ["*"]\nchecks:\n  load: {reading: load1, every: 1s, warning: above 10000}\n')
        files = open_files(agent)
        self.site.plan(plan(self.folder))
        self.site.follows("h1", plan(self.folder).count(CHECK))
        writers = Writers(self.folder)
        self.addCleanup(writers.end)
        pause(HOSTILE_FOR)
        writers.end()
        lines = [f"line {number + 1}" for number in range(writers.lines)]
        eventually(
            lambda: self.told("log_line", "plain") == lines, PATIENCE, "every line of a good log, once", poll=0.5
        )
        self.assert_all_was_tried()
        self.assertLess(max(self.gaps()), LARGEST * BEAT, self.gaps())
        self.assertLess(peak(agent), MEMORY)
        self.assert_nothing_is_left(agent, files)
        self.complete(self.site)

    def assert_all_was_tried(self) -> None:
        """What had to go wrong went wrong, each told once; a test in which nothing happens proves nothing."""
        hung = {name: [f"{name}: timed out"] for name in HUNG}
        eventually(lambda: {name: self.told("check_failed", name) for name in HUNG} == hung, PATIENCE, f"{hung}")
        exploded = [event for event in self.site.events(kind="check_failed") if "too long" in event["text"]]
        self.assertGreater(len(exploded), 0)
        unreadable = [Path(event["fields"]["path"]).name for event in self.site.events(kind="log_unreadable")]
        self.assertEqual(sorted(unreadable), ["fifo", "folder", "null", "zero", "zero"])
        gaps = [str(event["text"]) for event in self.site.events(kind="log_gap")]
        self.assertEqual(len(gaps), 1, gaps)
        self.assertIn(f"{FILES} files match", gaps[0])
        self.assertEqual(self.told("log_line", "sparse"), ["line behind a hole"])

    def told(self, kind: str, check: str) -> list[str]:
        """What was told of a check."""
        return [event["text"] for event in self.site.events(kind=kind, check=check)]

    def test_many_runs(self) -> None:
        """Short programs as fast as they go: at the end the agent is as small as before."""
        runs = self.folder / "runs"
        command = f"[sh, -c, 'echo >>{runs}; exit 1']"
        checks = [f"  run {number}: {{command: {command}, every: 100ms}}" for number in range(8)]
        agent = self.host('hosts: ["*"]\nchecks:\n' + "\n".join(checks) + "\n")
        eventually(lambda: len(self.site.events(kind="check_failed")) == 8, PATIENCE, "each has run")
        files, memory = open_files(agent), resident(agent)
        eventually(lambda: runs.stat().st_size > RUNS, RUNS / RUNS_A_SECOND + PATIENCE, f"{RUNS} runs", poll=0.5)
        self.assertLess(max(self.gaps()), LARGEST * BEAT, self.gaps())
        self.assertLess(resident(agent), memory + 1.0)
        self.assert_nothing_is_left(agent, files)


def made(folder: Path, many: Path) -> None:
    """Files of every bad kind; those that are many in a folder of their own."""
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "null").symlink_to("/dev/null")
    (folder / "glob").symlink_to(many)
    for number in range(FILES):
        os.close(os.open(many / f"{number}.log", os.O_CREAT | os.O_WRONLY))


def pid(agent: Agent) -> int:
    """The process of an agent."""
    assert agent.process is not None
    return agent.process.pid


def status(agent: Agent, field: str) -> float:
    """A size from /proc/PID/status, in MiB."""
    for line in Path(f"/proc/{pid(agent)}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def peak(agent: Agent) -> float:
    """MiB that were resident at most."""
    return status(agent, "VmHWM")


def resident(agent: Agent) -> float:
    """MiB that are resident now."""
    return status(agent, "VmRSS")


def open_files(agent: Agent) -> int:
    """How many descriptors it holds, but for that of its inbox: which it opens when it next looks there."""
    held = []
    for each in Path(f"/proc/{pid(agent)}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed by now
            held.append(each.readlink())
    return sum(each.name != FOLDER for each in held)


def children(agent: Agent) -> list[str]:
    """Its child processes, dead ones too."""
    return Path(f"/proc/{pid(agent)}/task/{pid(agent)}/children").read_text().split()


def left_behind() -> list[int]:
    """Processes that our programs have started, wherever they belong now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if MARK.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def end_what_is_left() -> None:
    """A test that failed has killed the agent, and with it whoever would have ended these."""
    for process in left_behind():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
