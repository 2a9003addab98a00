"""What every end-to-end test has: a folder of its own, and nothing left of it afterwards."""

import signal
import unittest
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor436.model.settings.whole import Settings
from tests.e2e.processes import Process
from tests.e2e.servers import Server, on_loopback

SHOWN = 3000  # characters of an output around what is wrong in it


class Agent:
    """The agent of one host: one file, a state folder, a log to follow. It can be started again after its end.

    It reads whatever log a plan names: those of tests are in temporary folders.
    """

    def __init__(self, folder: Path, file: Path, prefix: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        folder.mkdir()
        self.state = folder / "state"
        self.log = folder / "app.log"
        self.log.touch()
        self.process: Process | None = None
        self._console = folder / "agent.log"
        self._argv: list[str | Path] = [file, "--state", self.state, "--logs", "any", *options]
        self._prefix = prefix

    def start(self) -> "Agent":
        """Run it."""
        self.process = Process(self._argv, self._console, self._prefix)
        return self

    def stop(self) -> int:
        """End it cleanly; its status."""
        assert self.process is not None
        return self.process.stop()

    def kill(self) -> None:
        """End it if it runs, without a goodbye."""
        if self.process is not None:
            self.process.kill()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send(number)

    def write(self, lines: Sequence[str]) -> None:
        """Append lines to its log, as an application would."""
        with open(self.log, "a") as file:
            file.writelines(f"{line}\n" for line in lines)

    @property
    def output(self) -> str:
        """What all its runs have said."""
        return self._console.read_text(errors="replace") if self._console.exists() else ""


class Stage(unittest.TestCase):
    """Servers and agents that end with the test; none of them may have met an exception that it did not expect."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="m436-")))
        self.servers: list[Server] = []
        self.agents: list[Agent] = []
        self.addCleanup(self._look_for_exceptions)
        self.addCleanup(self._end_all)

    def server(self, settings: Settings | None = None, prefix: Sequence[str] = (), name: str = "srv") -> Server:
        """A server that is not started yet."""
        server = Server(self.folder / name, settings or on_loopback(name), prefix)
        self.servers.append(server)
        return server

    def agent(self, server: Server, name: str, *options: str, file: Path | None = None) -> Agent:
        """The agent of a host on loopback, not started yet."""
        packed = file or server.agent_file()
        agent = Agent(self.folder / name, packed, options=["--name", name, *options])
        self.agents.append(agent)
        return agent

    def follower(self, server: Server, name: str) -> Agent:
        """The agent of a host on loopback with a plan to follow its own log, not started yet."""
        agent = self.agent(server, name)
        server.follow(agent.log, name)
        return agent

    def joined(self, server: Server, name: str) -> Agent:
        """An agent that runs, is known to the server and follows its own log."""
        agent = self.follower(server, name).start()
        server.follows(name)
        return agent

    def complete(self, server: Server, *files: Path) -> None:
        """Assert that nothing is missing or doubled in the events."""
        status, verdict = server.verify(*files)
        self.assertEqual((status, verdict.split(":")[0]), (0, "complete"), verdict)

    def _end_all(self) -> None:
        for agent in self.agents:
            agent.kill()
        for server in self.servers:
            server.kill()

    def _look_for_exceptions(self) -> None:
        outputs = [agent.output for agent in self.agents] + [server.output for server in self.servers]
        for output in outputs:
            for sign in ("Traceback", "Unhandled", "Exception"):
                at = output.find(sign)
                self.assertEqual(at, -1, output[max(0, at - SHOWN) : at + SHOWN])
