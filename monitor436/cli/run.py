"""`monitor436 run`: the server in the foreground."""

import errno
import os
import sys
from collections.abc import Callable
from functools import partial

import click
from twisted.internet.defer import Deferred, succeed

from monitor436.binder import DEFAULT
from monitor436.cli.until_told import end_once


@click.command()
@click.option("-c", "--config", "path", metavar="FILE", default=DEFAULT, show_default=True, help="The settings file.")
@click.option("--here", is_flag=True, help="Also run an agent for this machine, and show events as they come.")
def run(path: str, here: bool) -> None:
    """Run the server until it is interrupted.

    It is the same server that `twistd -ny monitor.tac` and `twistd -n monitor436 -c FILE` run. HUP makes it read
    settings and plans again and open the events file anew; TERM and INT stop it.

    \b
    monitor436 run -c site/etc/monitor436.yaml
    """
    from twisted.internet import reactor
    from twisted.python.log import startLogging

    from monitor436.tap import open_monitor

    monitor = open_monitor(path)
    leave: Callable[[], Deferred[None]] = partial(succeed, None)
    if not here:
        startLogging(sys.stderr, setStdout=False)  # what was logged before comes now
    else:
        from monitor436.cli.here import show_here

        leave = show_here(monitor, monitor.state, reactor)
    try:
        monitor.startService()  # before the reactor runs: from inside it, what stands in the way would only be logged
    except SystemExit as stopped:
        if not str(stopped).endswith(os.strerror(errno.EADDRINUSE)):
            raise
        raise SystemExit(f"{stopped}\nmonitor436 doctor -c {path} tells which program has it") from None
    reactor.addSystemEventTrigger("before", "shutdown", lambda: leave().addBoth(lambda _: monitor.stopService()))
    reactor.callWhenRunning(end_once, reactor)
    reactor.run()
