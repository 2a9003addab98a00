"""`agent436.pyz install`: this file, put where it stays, and started at every boot."""

import os
import sys

from monitor436.agent.options import InTheWay, UsageError, Words
from monitor436.agent.resident import OPTIONS as AGENT
from monitor436.agent.resident import Options
from monitor436.agent.tools import unit
from monitor436.agent.tools.glance import looks_like_state
from monitor436.agent.tools.place import Place

USAGE = """\
usage: agent436.pyz install [options] [options of the agent]

Copies this file to /usr/local/sbin/agent436.pyz, makes a system user for it, its state folder and a unit of systemd,
and starts it. Doing it again does no harm, and with a newer file it is an update. Says what it did.

  --user NAME    who runs it (default: monitor436-agent, who is made, and may read every log; root is possible)
  --no-start     start it at the next boot only
  --root DIR     install into the image at DIR instead of this system
  and all options of the agent: they are kept in the unit

Exit status 0: done. 1: something is in the way. 2: a wrong command line.

examples:
  ./agent436.pyz install
  ./agent436.pyz install --server monitor.example.org --commands none
  ./agent436.pyz install --user root --run-as nobody
"""
OWN = ["user=", "no-start", "root=", "help"]
OPTIONS = OWN
NOT_KEPT = ("help", "version", "self-test")


def main(words: "list[str]") -> int:
    """Install."""
    given = Words(words, [*OWN[:-1], *(option for option in AGENT if option not in NOT_KEPT)])
    given.nothing_else()
    options = _of_the_agent(given)
    state, user = given.text("state", unit.STATE), given.text("user", unit.USER)
    Options(options)  # whatever is wrong with them is to be said now, and not at the next boot
    if not state.startswith("/") or set(state) & set(" \t\n\"'\\%$"):
        raise UsageError("--state: expected an absolute path without spaces or quotes, got {!r}".format(state))
    if given.has("run-as") and user != "root":
        raise UsageError("--run-as needs an agent that root runs: --user root")
    if os.geteuid() != 0:
        raise InTheWay("installing needs root")
    root = given.text("root", "/")
    if not os.path.isdir(root):
        raise InTheWay("--root {}: not a folder".format(root))
    with open(_this_file(), "rb") as file:
        content = file.read()
    install(Place(root, print), content, user, state, options, not given.has("no-start"))
    return 0


def install(place: Place, content: bytes, user: str, state: str, options: "list[str]", start: bool) -> None:
    """Everything, in the order in which it is needed; `content` is the agent file. Raises InTheWay, OSError."""
    owner = place.user(user)
    if user == unit.USER:
        owner = place.make_user(user, state)
    if owner is None:
        raise InTheWay("there is no user {}".format(user))
    if os.path.isdir(place.path(state)) and not looks_like_state(place.path(state)):
        raise InTheWay("{} holds something else than an agent's state: another folder, --state DIR".format(state))
    root = user == "root"
    changed = place.write(unit.FILE, content, 0o700 if root else 0o750, (0, owner[1]))  # it holds a secret
    place.folder(state, 0o700, owner)
    if not place.has_systemd:
        inittab = place.read("/etc/inittab") is not None
        place.say(
            "no systemd here; this line starts it at boot, {}".format(unit.other_ways(user, state, options, inittab))
        )
        return
    changed |= place.write("/etc/systemd/system/" + unit.UNIT, unit.text(user, state, options).encode(), 0o644)
    _enable(place)
    if place.runs_systemd:
        place.command("systemctl", "daemon-reload")
        if start:
            place.command("systemctl", "restart" if changed else "start", unit.UNIT)
            place.say("{0}: started; `journalctl -u {0}` shows what it says".format(unit.UNIT))


def _enable(place: Place) -> None:
    """As `systemctl enable` does, which an image may not have."""
    link = place.path("/etc/systemd/system/multi-user.target.wants/" + unit.UNIT)
    os.makedirs(os.path.dirname(link), exist_ok=True)
    if not os.path.islink(link):
        os.symlink("/etc/systemd/system/" + unit.UNIT, link)
        place.say("{}: enabled".format(unit.UNIT))


def _of_the_agent(given: Words) -> "list[str]":
    """The options that are the agent's, but for the state folder, as words."""
    words = []
    for option in AGENT:
        name = option.rstrip("=")
        if name not in (*NOT_KEPT, "state"):
            for value in given.all(name):
                words += ["--" + name, value]
    return words


def _this_file() -> str:
    path = os.path.abspath(sys.argv[0])
    if not path.endswith(".pyz"):
        raise InTheWay("this is the agent's source: run a file made by `monitor436 agent pack`")
    return path
