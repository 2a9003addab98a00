"""A server with an agent for this machine beside it, and events as they come: what `make run` shows."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from monitor436.application import AGENT_FILE, Monitor
from monitor436.cli.lines import say, shown
from monitor436.model.event import Event


class AgentProcess(ProcessProtocol):
    """An agent as a child of ours; what it says is passed on to `tell`, line by line."""

    def __init__(self, tell: Any) -> None:
        self.ended: Any = lambda status: None
        self._tell = tell

    def errReceived(self, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            self._tell(line)

    def processEnded(self, reason: Any) -> None:
        self.ended(reason.value.exitCode)


def start_agent(reactor: Any, file: Path, state: Path, tell: Any, *options: str) -> tuple[Any, AgentProcess]:
    """Start an agent file with this interpreter; (the process, its protocol)."""
    protocol = AgentProcess(tell)
    argv = [sys.executable, "-I", "-S", str(file), "--state", str(state), *options]
    return reactor.spawnProcess(protocol, sys.executable, argv, env=None), protocol


def only_problems() -> None:
    """Of the server's own log, show what is wrong and nothing else."""
    wrong = LogLevelFilterPredicate(LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(textFileLogObserver(sys.stderr), [wrong])], redirectStandardIO=False
    )


def show_here(monitor: Monitor, state: Path, reactor: Any) -> None:
    """Show every event, and start an agent as soon as the agent file is written."""
    only_problems()

    def show(events: Sequence[Event]) -> None:
        for event in events:
            say(shown(event))

    def begin() -> None:
        process, _ = start_agent(
            reactor, state / AGENT_FILE, state / "agent", lambda line: say(click.style(line, dim=True))
        )
        reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: process.signalProcess("TERM") if process.pid else None
        )

    monitor.bus.subscribe(show)
    reactor.callWhenRunning(lambda: reactor.callLater(0, begin))
