"""The agent that stays: from its command line to its loop."""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable

from monitor436 import __version__
from monitor436.agent import limits
from monitor436.agent.basis import FIRST, allowed_here, known, packed_in_this_file
from monitor436.agent.identity import Packed, State, StateError, host_name
from monitor436.agent.link import sockets
from monitor436.agent.link.joining import Joining
from monitor436.agent.loop import Agent
from monitor436.agent.options import UsageError, Words, default_state, say

USAGE = """\
usage: agent436.pyz [options]
       agent436.pyz event|check|match|doctor|install|uninstall --help

Finds the monitor436 server of this site by broadcast, joins it once, and reports what the plan asks for.

  --server HOST[:PORT]   a server on another network; may be given several times
  --port N               where beacons are heard (UDP; the server's beacon.port)
  --state DIR            where this host keeps its key, plan and spool
                         (default: /var/lib/monitor436-agent, or ~/.local/state/monitor436-agent)
  --name NAME            this host's name (default: what the machine calls itself)
  --commands none|listed|any
                         which commands a plan may run here; listed: those in commands.allow in DIR (the default)
  --logs none|listed|any which logs a plan may have read here; listed: those in logs.allow in DIR (the default)
  --run-as USER          the user who runs these commands; needs an agent that root runs
  --self-test            try what the agent needs of this host and its Python, and end
  --version, --help

examples:
  ./agent436.pyz
  ./agent436.pyz --server monitor.example.org --state /srv/agent --commands none
"""
LIMITS = ["state=", "commands=", "logs=", "run-as="]
OPTIONS = ["server=", "port=", "name=", *LIMITS, "self-test", "version", "help"]


class Options:
    """The command line of the agent that stays. Raises UsageError, HelpWanted."""

    def __init__(self, argv: "list[str]") -> None:
        words = Words(argv, OPTIONS[:-1])
        words.nothing_else()
        self.servers = words.all("server")
        for server in self.servers:
            _place(server)
        self.port = words.number("port", 1, 65535, 0)
        self.name = words.text("name", "")
        self.state = words.text("state", default_state())
        self.commands = words.one_of("commands", limits.POLICIES, "listed")
        self.logs = words.one_of("logs", limits.POLICIES, "listed")
        self.run_as = words.text("run-as", "")
        self.only = next((name for name in ("version", "self-test") if words.has(name)), "")
        if not self.state:
            raise UsageError("--state: expected a folder")


def _place(server: str) -> None:
    host, colon, port = server.partition(":")
    if not host or (colon and not (port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536)):
        raise UsageError("--server: expected HOST or HOST:PORT, a port being 1 to 65535, got {!r}".format(server))


def on_end(act: "Callable[[], object]") -> None:
    """From now on TERM, INT and HUP do this; HUP, with which a terminal closes, not under nohup(1)."""
    ends = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        ends.append(signal.SIGHUP)
    for number in ends:
        signal.signal(number, lambda *_: act())


def stop_on_signals(agent: Agent, selector: selectors.BaseSelector) -> None:
    """From now on they end the loop after the present turn."""
    reads, writes = os.pipe()
    for end in (reads, writes):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writes)  # so that select() returns at once
    selector.register(reads, 1, lambda now: os.read(reads, 512))
    on_end(agent.stop)


def run(options: Options, packed: Packed) -> None:
    """The agent, until it is told to stop. Raises StateError, OSError, ValueError."""
    on_end(sys.exit)  # until it has joined there is nothing to take leave of
    os.umask(0o077)
    state = State(options.state)
    for file, first in FIRST.items():
        if state.read(file) is None:
            state.write(file, first.encode())
    allowed = allowed_here(options.commands, options.logs, options.run_as, state)
    port = options.port or packed.beacon_port
    try:
        hears = sockets.hearing(port, packed.multicast)
    except OSError as problem:
        raise StateError(
            "beacons cannot be heard on {}/udp: {} (another port: --port N)".format(port, problem.strerror)
        ) from None
    identity, heard = known(packed, state, options.name), []
    if identity is None:
        name = host_name(options.name, os.uname().nodename)
        say("looking for a server, to join as {}".format(name))
        joining = Joining(packed, name, options.servers, hears, say)
        identity = joining.run(state)
        heard = list(joining.heard.values())
        say("joined as {}".format(name))
    selector = selectors.DefaultSelector()
    agent = Agent(identity, state, packed, options.servers, allowed, selector, say)
    for datagram, address in heard:
        agent.beacons.hear(datagram, address, time.monotonic())
    stop_on_signals(agent, selector)
    agent.run(hears, sockets.talking(), packed.multicast)


def start_lean() -> None:
    """Start over without site packages, where the file was not started by its own shell prelude: it saves 3 MB."""
    if not (sys.flags.isolated and sys.flags.no_site) and sys.argv[0].endswith(".pyz"):
        os.execv(sys.executable, [sys.executable, "-I", "-S"] + sys.argv)


def main(words: "list[str]") -> int:
    """Run until told to stop; 0 after that."""
    options = Options(words)
    if options.only == "version":
        print("agent436 {}".format(__version__))
    elif options.only:
        from monitor436.agent.tools import self_test

        return self_test.main([])
    else:
        start_lean()
        run(options, packed_in_this_file())
    return 0
