"""The agent's command line."""

import getopt
import os
import selectors
import signal
import sys
import time

from monitor436 import __version__
from monitor436.agent import limits, sockets
from monitor436.agent.identity import Identity, Packed, State, StateError, host_name, read_packed
from monitor436.agent.joining import Joining
from monitor436.agent.loop import Agent

USAGE = """\
usage: agent436.pyz [options]

Finds the monitor436 server of this site by broadcast, joins it once, and reports what the plan asks for.

  --server HOST[:PORT]   a server on another network; may be given several times
  --port N               where beacons are heard (UDP; the server's beacon.port)
  --state DIR            where this host keeps its key, plan and spool
                         (default: /var/lib/monitor436-agent, or ~/.local/state/monitor436-agent)
  --name NAME            this host's name (default: what the machine calls itself)
  --commands none|listed|any
                         which commands a plan may run here; listed: those in commands.allow in DIR (the default)
  --version, --help

examples:
  ./agent436.pyz
  ./agent436.pyz --server monitor.example.org --state /srv/agent --commands none
"""
OPTIONS = ["server=", "port=", "state=", "name=", "commands=", "version", "help"]


class UsageError(Exception):
    """The command line is off; the text says how."""


class Options:
    """The command line. Raises UsageError."""

    def __init__(self, argv: "list[str]") -> None:
        self.servers = []  # type: list[str]
        self.port = 0
        self.state = default_state()
        self.name = ""
        self.commands = "listed"
        self.only = ""  # "version" or "help"
        try:
            given, rest = getopt.gnu_getopt(argv, "h", OPTIONS)
        except getopt.GetoptError as wrong:
            raise UsageError(str(wrong)) from None
        if rest:
            raise UsageError("unknown argument: {}".format(rest[0]))
        for option, value in given:
            self._take(option, value)

    def _take(self, option: str, value: str) -> None:
        if option == "--server":
            self.servers.append(value)
        elif option == "--port":
            if not value.isdigit() or not 0 < int(value) < 65536:
                raise UsageError("--port: expected 1 to 65535, got {!r}".format(value))
            self.port = int(value)
        elif option == "--commands":
            if value not in limits.POLICIES:
                raise UsageError("--commands: expected none, listed or any, got {!r}".format(value))
            self.commands = value
        elif option in ("--version", "--help", "-h"):
            self.only = option.strip("-")
        else:
            setattr(self, option[2:], value)


def default_state() -> str:
    """Where state is kept if nothing is said: the system's place for root, the user's for others."""
    if os.geteuid() == 0:
        return "/var/lib/monitor436-agent"
    return os.path.join(os.environ.get("HOME", "/"), ".local/state/monitor436-agent")


def say(text: str) -> None:
    """One line for whoever watches the console or the journal."""
    sys.stderr.write("agent436: {}\n".format(text))
    sys.stderr.flush()


def known(packed: Packed, state: State, options: Options) -> "Identity | None":
    """This host's identity, if it has one: packed in the file, or kept from an earlier join. Raises StateError."""
    if packed.key:
        return Identity(packed.name, packed.key, packed.serial, packed.generation)
    kept = state.identity()
    if kept is not None and options.name not in ("", kept.name):
        raise StateError("{} belongs to {}: another --state DIR for {}".format(state.folder, kept.name, options.name))
    return kept


def stop_on_signals(agent: Agent, selector: selectors.BaseSelector) -> None:
    """TERM and INT end the loop after the present turn."""
    reads, writes = os.pipe()
    for end in (reads, writes):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writes)  # so that select() returns at once
    selector.register(reads, 1, lambda now: os.read(reads, 512))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())


def run(options: Options, packed: Packed) -> None:
    """The agent, until it is told to stop. Raises StateError, OSError."""
    os.umask(0o077)
    state = State(options.state)
    port = options.port or packed.beacon_port
    try:
        hears = sockets.hearing(port, packed.multicast)
    except OSError as problem:
        raise StateError(
            "beacons cannot be heard on {}/udp: {} (another port: --port N)".format(port, problem.strerror)
        ) from None
    identity, heard = known(packed, state, options), []
    if identity is None:
        name = host_name(options.name, os.uname().nodename)
        say("looking for a server, to join as {}".format(name))
        joining = Joining(packed, name, options.servers, hears, say)
        identity = joining.run(state)
        heard = list(joining.heard.values())
        say("joined as {}".format(name))
    if state.read(limits.FILE) is None:
        state.write(limits.FILE, limits.FIRST.encode())
    listed = (state.read(limits.FILE) or b"").decode("utf-8", "replace")
    selector = selectors.DefaultSelector()
    agent = Agent(identity, state, packed, options.servers, limits.Limits(options.commands, listed), selector, say)
    for datagram, address in heard:
        agent.hear_beacon(datagram, address, time.monotonic())
    stop_on_signals(agent, selector)
    agent.run(hears, sockets.talking(), packed.multicast)


def packed_in_this_file() -> Packed:
    """What was packed beside this code. Raises StateError."""
    loader = globals().get("__loader__")
    if not hasattr(loader, "archive"):
        raise StateError("this is the agent's source: run a file made by `monitor436 agent pack`")
    return read_packed(loader.get_data("packed.json"))  # type: ignore[union-attr]


def start_lean() -> None:
    """Start over without site packages, where the file was not started by its own shell prelude: it saves 3 MB."""
    if not (sys.flags.isolated and sys.flags.no_site) and sys.argv[0].endswith(".pyz"):
        os.execv(sys.executable, [sys.executable, "-I", "-S"] + sys.argv)


def main() -> None:
    """Exit status 0 after a clean stop, 1 when something on this host is in the way, 2 for a wrong command line."""
    if sys.argv[1:] == ["_door"]:
        from monitor436.agent import door

        door.main()
        return
    try:
        options = Options(sys.argv[1:])
        if options.only == "version":
            print("agent436 {}".format(__version__))
        elif options.only:
            print(USAGE, end="")
        else:
            start_lean()
            run(options, packed_in_this_file())
    except UsageError as wrong:
        sys.stderr.write("agent436: {}\n{}".format(wrong, USAGE))
        sys.exit(2)
    except (StateError, OSError, ValueError) as problem:
        say(str(problem))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
