"""A server with an agent for this machine beside it, and events as they come: what `make run` shows."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from monitor436.application import Monitor
from monitor436.cli.lines import say, shown
from monitor436.demo.local_agent import start_agent
from monitor436.model.event import Event
from monitor436.state_folder import AGENT_FILE


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
        process = start_agent(
            reactor, state / AGENT_FILE, state / "agent", lambda line: say(click.style(line, dim=True))
        )
        reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: process.signalProcess("TERM") if process.pid else None
        )

    monitor.bus.subscribe(show)
    reactor.callWhenRunning(lambda: reactor.callLater(0, begin))
