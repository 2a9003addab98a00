"""`monitor436 run`: the server in the foreground."""

import signal
import sys
from contextlib import suppress
from typing import Any

import click
from twisted.internet.error import ReactorNotRunning

from monitor436.binder import DEFAULT


@click.command()
@click.option("-c", "--config", "path", default=DEFAULT, show_default=True, help="The settings file.")
@click.option("--here", is_flag=True, help="Also run an agent for this machine, and show events as they come.")
def run(path: str, here: bool) -> None:
    """Run the server until it is interrupted.

    It is the same server that `twistd -ny monitor.tac` and `twistd -n monitor436 -c FILE` run. HUP makes it read
    settings and plans again and open the events file anew; TERM and INT stop it.
    """
    from twisted.internet import reactor
    from twisted.python.log import startLogging

    from monitor436.tap import open_monitor

    if not here:
        startLogging(sys.stderr, setStdout=False)
    monitor = open_monitor(path)
    if here:
        from monitor436.cli.here import show_here

        show_here(monitor, monitor.state, reactor)
    monitor.startService()  # before the reactor runs: from inside it, what stands in the way would only be logged
    reactor.addSystemEventTrigger("before", "shutdown", monitor.stopService)
    reactor.callWhenRunning(end_once, reactor)
    reactor.run()


def end_once(reactor: Any) -> None:
    """TERM and INT end the server; a second one, as an impatient Ctrl-C sends it, changes nothing."""

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reactor.callFromThread(stop))
