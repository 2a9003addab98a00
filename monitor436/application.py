"""The inventory: settings in, the tree of services out."""

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from monitor436 import __version__
from monitor436.assembly.asked import Asked
from monitor436.assembly.core import Core
from monitor436.assembly.hosts import Hosts
from monitor436.assembly.told import Told
from monitor436.assembly.web import Web
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.ordered import OrderedServices, StartError


class Monitor(OrderedServices):
    """The whole server as one service.

    `bus` tells of every durable event, `state` is the folder of its state; parts are found by `getServiceNamed`.
    """

    log = Logger()

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.bus = core.bus
        self.state = core.folder
        self._event_log = core.event_log

    def startService(self) -> None:
        """What stands in the way of a start ends the process with one sentence and status 1."""
        try:
            super().startService()
        except (StartError, OSError) as problem:
            raise SystemExit(f"monitor436: {problem}") from None
        text = f"server {__version__} started"
        self._event_log.state([Event(kind=kinds.SERVER_STARTED, text=text, fields={"version": __version__})])

    def stopService(self) -> Any:
        self._event_log.last_words = [Event(kind=kinds.SERVER_STOPPED, text="server stopped")]
        return super().stopService()

    def hang_up(self, read: Callable[[], Settings]) -> None:
        """HUP: open the events file anew, read keys, settings and plans again. What has mistakes changes nothing."""
        self._event_log.reopen()
        self.getServiceNamed("site").reload()
        try:
            settings = read()
        except SettingsError as wrong:
            text = f"the settings were refused, the old ones stay in force: {wrong.told}"
            self.log.error("{text}", text=text)
            self._event_log.state([Event(kind=kinds.SETTINGS_REFUSED, severity="warning", text=text)])
            return
        self.log.info("settings read again; addresses, ports and files are those of the start")
        for part, section in (
            ("agents", settings.agents),
            ("liveness", settings.heartbeat),
            ("polls", settings.polls),
            ("sweeps", settings.sweeps),
            ("board", settings.status),
            ("notifications", settings.notify),
            ("dead man", settings.notify),
            ("rollups", settings.metrics),
            ("http", settings.http),
        ):
            self.getServiceNamed(part).follow(section)
        rhythm = (settings.heartbeat.every, settings.heartbeat.late)
        self.getServiceNamed("plans").reload(settings.plans.folder, rhythm)


def make_service(settings: Settings, reactor: Any) -> Monitor:
    """The server that `settings` describe, not started yet.

    Its parts stand in the order in which they start; they stop in the opposite one, the event log last.
    Raises SiteError, SettingsError and OSError where state folder or settings cannot be used.
    """
    core = Core(settings, reactor)
    hosts = Hosts(core)
    asked = Asked(core, hosts)
    told = Told(core, hosts)
    web = Web(core, hosts, asked, told)
    monitor = Monitor(core)
    for part in (
        core.event_log,
        told.board,
        told.notifications,
        core.rotation,
        core.recovery,
        web.rollups,
        hosts.plans,
        hosts.names,
        hosts.rotation,
        hosts.agents,
        hosts.door,
        hosts.agent_file,
        hosts.liveness,
        hosts.health,
        asked.polls,
        asked.sweeps,
        web.live,
        web.http,
        hosts.settling,
        hosts.beacon,
        hosts.neighbours,
        told.dead_man,
    ):
        part.setServiceParent(monitor)
    return monitor
