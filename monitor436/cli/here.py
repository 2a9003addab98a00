"""A server with an agent for this machine beside it, and events as they come: what `make run` shows."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
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

LAST_WORDS = 5.0  # seconds for an agent to end


def only_problems() -> None:
    """Of the server's own log, show what is wrong and nothing else."""
    wrong = LogLevelFilterPredicate(LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(textFileLogObserver(sys.stderr), [wrong])], redirectStandardIO=False
    )


def show_here(monitor: Monitor, state: Path, reactor: Any) -> Callable[[], Deferred[None]]:
    """Show every event, and start an agent as soon as the agent file is written.

    To be called before the server stops: what ends the agent, and fires when the server has heard its goodbye.
    """
    only_problems()
    agents: list[Any] = []

    def show(events: Sequence[Event]) -> None:
        for event in events:
            say(shown(event))

    def begin() -> None:
        file, folder = state / AGENT_FILE, state / "agent"
        agents.append(start_agent(reactor, file, folder, lambda line: say(click.style(line, dim=True))))

    async def leave() -> None:
        for process in agents:
            if process.pid:
                process.signalProcess("TERM")
                await process.proto.ended.addTimeout(LAST_WORDS, reactor, lambda outcome, seconds: None)
        await deferLater(reactor, 0)  # its last datagrams arrived before the news of its end, and are read by then

    monitor.bus.subscribe(show)
    reactor.callWhenRunning(lambda: reactor.callLater(0, begin))
    return lambda: Deferred.fromCoroutine(leave())
