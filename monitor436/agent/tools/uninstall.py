"""`agent436.pyz uninstall`: the agent is stopped, and what `install` made goes."""

import os
import shutil

from monitor436.agent.options import InTheWay, Words
from monitor436.agent.tools import unit
from monitor436.agent.tools.glance import Glance, looks_like_state
from monitor436.agent.tools.place import Place

USAGE = """\
usage: agent436.pyz uninstall [options]

Stops the agent and removes its unit and /usr/local/sbin/agent436.pyz. The state folder stays: with it, the host keeps
its key, and an agent that is installed again goes on where this one stopped.

  --purge        remove the state folder and the user monitor436-agent as well
  --root DIR     in the image at DIR instead of this system

Exit status 0: done. 1: something is in the way. 2: a wrong command line.

examples:
  agent436.pyz uninstall
  agent436.pyz uninstall --purge
"""
OPTIONS = ["purge", "root=", "help"]


def main(words: "list[str]") -> int:
    """Uninstall."""
    given = Words(words, OPTIONS[:-1])
    given.nothing_else()
    if os.geteuid() != 0:
        raise InTheWay("uninstalling needs root")
    uninstall(Place(given.text("root", "/"), print), given.has("purge"))
    return 0


def uninstall(place: Place, purge: bool) -> None:
    """Everything, in the reverse order of `install`. Raises InTheWay, OSError."""
    service = "/etc/systemd/system/" + unit.UNIT
    state = unit.state_of((place.read(service) or b"").decode("utf-8", "replace"))
    if place.runs_systemd and place.read(service) is not None:
        place.command("systemctl", "disable", "--now", unit.UNIT)
    place.remove("/etc/systemd/system/multi-user.target.wants/" + unit.UNIT)
    if place.remove(service) and place.runs_systemd:
        place.command("systemctl", "daemon-reload")
    place.remove(unit.FILE)
    runs = Glance(place.path(state)).agent() if place.here else 0
    if runs:
        raise InTheWay("an agent still runs, process {}: end it, and whatever starts it at boot".format(runs))
    if purge:
        _purge(place, state)


def _purge(place: Place, state: str) -> None:
    there = place.path(state)
    if os.path.isdir(there):
        if not looks_like_state(there):
            raise InTheWay("{} does not look like an agent's state: remove it by hand".format(state))
        shutil.rmtree(there)
        place.say("{}: removed".format(state))
    if place.user(unit.USER):
        place.command("userdel", unit.USER)
        place.say("user {}: removed".format(unit.USER))
