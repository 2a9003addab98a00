"""The side of the web: metrics, the pages over everything else, the dashboard, and the HTTP door before them."""

import os
import time

from monitor436.assembly.asked import Asked
from monitor436.assembly.core import Core
from monitor436.assembly.hosts import Hosts
from monitor436.assembly.told import Told
from monitor436.links import Links
from monitor436.one_thread import one_thread
from monitor436.services.rollups import Rollups
from monitor436.state_folder import LINKS, TOKENS
from monitor436.storage.store import open_store
from monitor436.token_file import FreshTokens, TokenFile
from monitor436.web.dashboard import Dashboard
from monitor436.web.door import HttpDoor
from monitor436.web.live import Live
from monitor436.web.measures import Measures
from monitor436.web.pages import Known, Pages
from monitor436.web.route import Route
from monitor436.web.sessions import Browsers
from monitor436.web.signin import SignInPages
from monitor436.web.silences import QuietPages


class Web:
    """What can be asked of this server over HTTP."""

    def __init__(self, core: Core, hosts: Hosts, asked: Asked, told: Told) -> None:
        settings, reactor = core.settings, core.reactor
        store = open_store(settings, core.name, reactor)
        self.rollups = Rollups(settings.metrics, settings.roles, store, core.state, reactor)
        core.bus.subscribe(self.rollups.heard)
        measures = Measures()
        self.pages = self._pages(core, hosts, asked, told, measures)
        core.bus.subscribe(self.pages.heard)
        self.live, browsers = Live(core.name, core.boot, reactor), Browsers(time.monotonic, os.urandom)
        core.bus.subscribe(self.live.heard)
        tokens = FreshTokens(TokenFile(core.folder / TOKENS))
        signin = SignInPages(
            core.name, browsers, Links(core.folder / LINKS), lambda: tokens.at(time.monotonic()),
            lambda: self.http.admission, time.time,
        )  # fmt: skip
        dashboard = Dashboard(core.name, self.live, signin, time.time)
        routes = [*self._shown(core, hosts, told, dashboard), *self._quiet(hosts, told), *self.pages.routes]
        self.http = HttpDoor(settings.http, routes, tokens.find, hosts.site, reactor, browsers.who, measures)

    def _pages(self, core: Core, hosts: Hosts, asked: Asked, told: Told, measures: Measures) -> Pages:
        degraded = {"events": core.degraded, "metrics": lambda: self.rollups.degraded}
        known = Known(
            hosts.roster, told.board.board, self.rollups, lambda host: hosts.plans.book.groups(host),
            asked.polls.known, asked.sweeps.known, hosts.gauges, degraded, core.event_files,
            one_thread(core.reactor, "pages"), measures,
        )  # fmt: skip
        return Pages(known, core.reactor)

    def _shown(self, core: Core, hosts: Hosts, told: Told, dashboard: Dashboard) -> list[Route]:
        return dashboard.routes(
            self.pages.fleet, hosts.plans, self.rollups, core.degraded, time.monotonic,
            lambda: len(told.board.board.silences.known),
        )  # fmt: skip

    @staticmethod
    def _quiet(hosts: Hosts, told: Told) -> list[Route]:
        pages = QuietPages(
            lambda: told.board.board,
            lambda act: told.in_thread(lambda: told.acts.add(act)),
            hosts.roster.get,
            time.time,
        )
        return pages.routes()
