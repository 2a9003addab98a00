"""`monitor436 beat`: a heartbeat and nothing else, for machines that need nothing else."""

import json
import os
import signal
import time
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import click

from monitor436.agent.basis import known
from monitor436.agent.identity import Identity, Packed, State, StateError, host_name, read_packed
from monitor436.agent.link import door, sockets
from monitor436.agent.machine import boot_id, uptime
from monitor436.agent.plan import seconds
from monitor436.agent.tools.glance import Glance
from monitor436.cli.beating import Beacons, Beating, hearing
from monitor436.heart import Heart

SHORTEST, LONGEST = 0.1, 3600.0  # seconds between beats
AGAIN = 5.0  # seconds until a join is tried again
ASK_AGAIN = (0, 202)  # statuses of a join: the door could not be reached, an operator has to approve


class Rhythm(click.ParamType):  # type: ignore[type-arg]
    """A duration such as "5s"."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        try:
            every = seconds(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, context)
        if not SHORTEST <= every <= LONGEST:
            self.fail("expected 100ms to 1h", param, context)
        return every


def _server(context: click.Context, param: click.Parameter, value: str) -> str:
    host, colon, port = value.partition(":")
    if not host or (colon and not (port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536)):
        raise click.BadParameter(f"expected HOST or HOST:PORT, a port being 1 to 65535, got {value!r}")
    return value


@click.command()
@click.option(
    "--to", required=True, metavar="HOST[:PORT]", callback=_server,
    help="The server. The port is that of the agent file.",
)  # fmt: skip
@click.option(
    "--as", "file", required=True, type=click.Path(exists=True, dir_okay=False), metavar="AGENTFILE",
    help="Made by `monitor436 agent pack`: it holds a key (--host NAME) or lets this machine join.",
)  # fmt: skip
@click.option("--name", default="", help="Join under this name; by default what the machine calls itself.")
@click.option(
    "--every", type=Rhythm(), default="5s", show_default=True, help="How often; at least twice in its time-out."
)
@click.option("--state", default="", metavar="DIR", help="Where the key of a join is kept.")
def beat(to: str, file: str, name: str, every: float, state: str) -> None:
    """Send heartbeats to a server, as a host that has no plan and tells no events.

    Runs until it is interrupted, and then says goodbye: stopped is not down. It needs no other file than the agent
    file, and does nothing of what a plan asks for.

    \b
    monitor436 agent pack --host router1 -o router1.pyz
    monitor436 beat --to monitor.example.org --as router1.pyz
    """
    for number in (signal.SIGTERM, signal.SIGHUP):  # with HUP a terminal closes; nohup(1) has it ignored
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        packed = packed_in(file)
        address = _address(to, packed.port)
        identity, keep = _identity(packed, name, state or default_state(), address)
        if name not in ("", identity.name):
            raise StateError(f"{file} is for {identity.name}, not for {name}")
        heart = Heart(identity, every, boot_id(), uptime, os.urandom)
        heart.homing.named(to, address)
        beacons = Beacons(packed.beacon_key, address)
        if identity.beacon_key:
            beacons.accept(identity.beacon_key)
        beating = Beating(heart, beacons, packed.pin, keep, to, click.echo)
        with sockets.talking() as talks, hearing(packed.beacon_port, packed.multicast) as hears:
            beating.run(talks, hears)
    except KeyboardInterrupt:
        return
    except (StateError, OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from None


def packed_in(path: str) -> Packed:
    """What an agent file was packed with. Raises StateError."""
    try:
        with zipfile.ZipFile(path) as zipped:
            return read_packed(zipped.read("packed.json"))
    except (zipfile.BadZipFile, KeyError, OSError):
        raise StateError(f"{path} is not an agent file: make one with `monitor436 agent pack`") from None


def _address(to: str, port: int) -> tuple[str, int]:
    """Where a server is. Raises StateError."""
    try:
        return sockets.resolve(to, port)
    except (OSError, ValueError) as problem:  # ValueError: no name that could be looked up
        raise StateError(f"{to}: {getattr(problem, 'strerror', None) or problem}") from None


def default_state() -> str:
    """Where the key of a join is kept if nothing is said: the system's place for root, the user's for others."""
    if os.geteuid() == 0:
        return "/var/lib/monitor436-beat"
    return str(Path(os.environ.get("HOME", "/"), ".local/state/monitor436-beat"))


def _identity(
    packed: Packed, name: str, folder: str, address: tuple[str, int]
) -> tuple[Identity, Callable[[Identity], None]]:
    """The one packed in the file, the one kept, or a new one; and what keeps another. Raises StateError."""
    if packed.key:
        own = os.path.join(folder, packed.name)  # made when there is something to keep
        identity = known(packed, Glance(own), "")
        assert identity is not None
        return identity, lambda moved: _state(own).keep_identity(moved)
    state = State(folder)
    identity = state.identity()
    if identity is None:
        identity = _join(packed, host_name(name, os.uname().nodename), address, state)
        state.keep_identity(identity)
        click.echo(f"joined as {identity.name}")
    return identity, state.keep_identity


@cache
def _state(folder: str) -> State:
    """The state folder, which is locked as long as this process runs."""
    return State(folder)


def _join(packed: Packed, name: str, address: tuple[str, int], state: State) -> Identity:
    """Ask for a key at the TLS door, which has the number of the UDP port, until there is one or it is denied."""
    ask = (state.read("ask") or os.urandom(16).hex().encode()).decode()
    state.write("ask", ask.encode())
    body = json.dumps({"name": name, "ask": ask})
    asked: dict[str, object] = {"host": address[0], "port": address[1], "pin": packed.pin, "token": packed.token}
    asked.update(method="POST", path="/join", body=body)
    told = ""
    while True:
        answer = door.exchange(asked)
        text = str(answer["body"]).strip()
        if answer["status"] == 200:
            given = json.loads(text)
            key, serial, beacon_key = (bytes.fromhex(given.get(each, "")) for each in ("key", "serial", "beacon_key"))
            return Identity(name, key, serial, int(given["generation"]), beacon_key)
        if answer["status"] not in ASK_AGAIN:
            raise StateError(f"not joined at {address[0]}:{address[1]}: {text}")
        if text != told:
            told = text
            click.echo(f"not joined yet: {text}")
        time.sleep(AGAIN)
