"""`twistd monitor436 -c FILE`, and what every door shares: settings read, HUP wired, mistakes told in one line."""

import signal
import sys
from typing import Any

from twisted.python import usage

from monitor436.application import Monitor, make_service
from monitor436.binder import DEFAULT, load
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.site import SiteError
from monitor436.state_folder import AGENT_FILE


class Options(usage.Options):
    """Options of the twistd plug-in."""

    synopsis = "[-c FILE]"
    optParameters = [["config", "c", DEFAULT, "The settings file."]]


def makeService(options: Options) -> Monitor:
    """The service that twistd runs."""
    return open_monitor(options["config"])


def open_monitor(path: str, reactor: Any = None) -> Monitor:
    """The server that a settings file describes, with HUP wired. What is in the way ends the process, a line each.

    Status 2 for mistakes in the settings, 1 for anything else.
    """
    if reactor is None:
        from twisted.internet import reactor

    def hang_up(*_: object) -> None:
        reactor.callFromThread(lambda: monitor.hang_up(lambda: load(path, Settings)))

    signal.signal(signal.SIGHUP, hang_up)  # at once: until then it ends the process. It is heeded when the reactor runs
    try:
        settings = load(path, Settings)
        monitor = make_service(settings, reactor)
    except SettingsError as wrong:
        print(*wrong.problems, sep="\n", file=sys.stderr)
        raise SystemExit(2) from None
    except (SiteError, OSError) as problem:
        raise SystemExit(f"monitor436: {problem}") from None

    def running() -> None:
        print(f"agent file:  {settings.state}/{AGENT_FILE}  (copy it to hosts and start it there)", flush=True)
        print(f"events file: {settings.events.file}", flush=True)
        if settings.http.listen:
            where = "" if path == DEFAULT else f" -c {path}"
            print(f"dashboard:   monitor436 dashboard{where}  (prints a link that signs in)", flush=True)

    reactor.callWhenRunning(running)
    return monitor
