"""The side of what is asked: status polls and ssh sweeps."""

from monitor436.assembly.core import Core
from monitor436.assembly.hosts import Hosts
from monitor436.model.hosts.known_as import KnownAs
from monitor436.services.polls import Polls
from monitor436.services.sweeps import Sweeps
from monitor436.state_folder import POLLS, SWEEPS


class Asked:
    """What this server asks of others. Raises SettingsError."""

    def __init__(self, core: Core, hosts: Hosts) -> None:
        settings, reactor, folder = core.settings, core.reactor, core.folder
        self.polls = Polls(settings.polls, core.state, folder / POLLS, hosts.announced, reactor)
        self.sweeps = Sweeps(settings.sweeps, core.state, folder / SWEEPS, KnownAs(hosts.roster).find, reactor)
        core.bus.subscribe(self.polls.heard)
        core.bus.subscribe(self.sweeps.heard)
