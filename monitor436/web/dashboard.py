"""The dashboard's own pages together: the page itself, signing in, the overview, plans, charts, and live events."""

from collections.abc import Callable
from typing import Any, Protocol

from monitor436.model.plans.planbook import Planbook
from monitor436.web.charts import ChartPage, Summaries
from monitor436.web.fleet import Fleet
from monitor436.web.live import Live
from monitor436.web.live import routes as live_routes
from monitor436.web.overview import OverviewPage
from monitor436.web.page import Page
from monitor436.web.route import Route
from monitor436.web.rules import RulesPage
from monitor436.web.signin import SignInPages


class Plans(Protocol):
    """The plans in force."""

    @property
    def folder(self) -> str:
        """Where they are written."""

    @property
    def book(self) -> Planbook:
        """What the files say."""

    def plan(self, host: str, /) -> bytes:
        """The plan of a host, canonical JSON."""

    def digest(self, host: str, /) -> str:
        """What it is known by."""


class Dashboard:
    """Everything that the page asks for and that no other part of the API has.

    `live` is a service.
    """

    def __init__(self, server: str, live: Live, signin: SignInPages, wall: Callable[[], float]) -> None:
        self._server = server
        self._live = live
        self._signin = signin
        self._wall = wall

    def routes(
        self,
        fleet: Fleet,
        plans: Plans,
        rollups: Summaries,
        degraded: Callable[[], str],
        monotonic: Callable[[], float],
        silenced: Callable[[], int] = lambda: 0,
    ) -> list[Route]:
        """All of them."""

        def origin(host: str) -> Any:
            return plans.book.origin(host)

        overview = OverviewPage(self._server, fleet, degraded, monotonic, silenced)
        return [
            *Page(overview.text).routes(),
            *self._signin.routes(),
            *overview.routes(),
            *RulesPage(fleet.one, plans.plan, origin, plans.digest, plans.folder).routes(),
            *ChartPage(rollups, self._wall).routes(),
            *live_routes(self._live),
        ]
