"""A whole server on this machine, with a folder of its own and free ports, to be measured from outside."""

import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from apart import run_until_asked

from monitor436.application import Monitor, make_service
from monitor436.model.settings.events import Events
from monitor436.model.settings.hosts import Agents, Beacon, Plans
from monitor436.model.settings.http import Http
from monitor436.model.settings.whole import Settings
from monitor436.services.agents import AgentsProtocol

HERE = "127.0.0.1"
NOBODY = 9  # the port of the discard service: beacons are sent, and nobody hears them
PLAN = 'hosts: ["*"]\nchecks:\n  root full: {reading: filesystem_used_percent, of: /, every: 1m, warning: above 85}\n'


def settings(folder: Path, plan: str = PLAN) -> Settings:
    """A server below `folder` that nobody finds by accident."""
    plans = folder / "agents"
    plans.mkdir(parents=True)
    (plans / "all.yaml").write_text(plan)
    return Settings(
        name="measured",
        state=str(folder),
        agents=Agents(address=HERE, port=0, events_each=0),
        plans=Plans(folder=str(plans), address=HERE, port=0),
        beacon=Beacon(port=NOBODY, to=(HERE,), multicast=""),
        http=Http(listen=""),
        events=Events(file=str(folder / "events.jsonl")),
    )


def protocol_of(monitor: Monitor) -> AgentsProtocol:
    """The UDP doorway of a server."""
    return monitor.getServiceNamed("agents").protocol  # type: ignore[no-any-return]


def serve(pipe: Connection, made: Settings, alter: Callable[[Monitor], None] | None = None) -> None:
    """Run a server, changed by `alter`; the port it listens on, and at the end its counters, go through `pipe`."""
    from twisted.internet import reactor
    from twisted.logger import FilteringLogObserver as Filtering
    from twisted.logger import LogLevel, LogLevelFilterPredicate, globalLogBeginner, textFileLogObserver

    wrong = Filtering(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)])
    globalLogBeginner.beginLoggingTo([wrong], redirectStandardIO=False)
    monitor = make_service(made, reactor)
    if alter is not None:
        alter(monitor)
    protocol = protocol_of(monitor)
    monitor.startService()
    reactor.addSystemEventTrigger("before", "shutdown", monitor.stopService)  # type: ignore[attr-defined]
    run_until_asked(
        pipe,
        lambda: monitor.getServiceNamed("agents").port,
        lambda: (dict(protocol.heard), dict(protocol.refused)),
    )
