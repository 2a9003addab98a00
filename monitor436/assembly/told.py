"""The side of operators: the status board, notifications, the dead man's ping."""

from monitor436.acts import ACTS, Acts
from monitor436.assembly.core import Core
from monitor436.assembly.hosts import Hosts
from monitor436.one_thread import one_thread
from monitor436.services.board import STATUS, BoardService
from monitor436.services.dead_man import DeadMan
from monitor436.services.notifications import NOTICES, Notifications


class Told:
    """Who is told of what. The files of all of it are written in one thread, `in_thread`."""

    def __init__(self, core: Core, hosts: Hosts) -> None:
        settings, reactor, folder = core.settings, core.reactor, core.folder
        self.in_thread = one_thread(reactor, "notices")
        self.acts = Acts(folder / ACTS)
        self.board = BoardService(
            settings.status, core.journal.path, folder / STATUS, self.acts, core.state, hosts.checks_of, self.in_thread,
            reactor,
        )  # fmt: skip
        self.notifications = Notifications(
            settings.notify, self.board.board, core.name, (core.journal.path, folder / NOTICES), core.state,
            self.in_thread, lambda: self.board.now, reactor, late=hosts.plans.late,
        )  # fmt: skip
        self.board.tell, self.board.may_keep = self.notifications.told, self.notifications.settled
        core.bus.subscribe(self.board.heard)
        hosts.liveness.told = self.board.told
        self.dead_man = DeadMan(settings.notify, lambda: not core.degraded(), core.state, reactor)
