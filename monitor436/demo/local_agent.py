"""An agent file, started on this machine as a child."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure


class AgentProcess(ProcessProtocol):
    """An agent as a child of ours; what it says is passed on to `tell`, line by line. `ended` fires when it has."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.ended: Deferred[None] = Deferred()
        self._tell = tell

    def errReceived(self, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            self._tell(line)

    def processEnded(self, reason: Failure) -> None:
        if not self.ended.called:
            self.ended.callback(None)


def start_agent(reactor: Any, file: Path, state: Path, tell: Callable[[str], None], *options: str) -> Any:
    """Start an agent file with this interpreter; the process transport. It reads whatever log a plan names."""
    argv = [sys.executable, "-I", "-S", str(file), "--state", str(state), "--logs", "any", *options]
    return reactor.spawnProcess(AgentProcess(tell), sys.executable, argv, env=None)
