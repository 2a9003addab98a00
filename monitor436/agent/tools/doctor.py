"""`agent436.pyz doctor`: why this host has no server."""

import json

from monitor436.agent.basis import known, packed_in_this_file
from monitor436.agent.identity import Identity, Packed
from monitor436.agent.link import sockets
from monitor436.agent.options import Words, state_here
from monitor436.agent.tools import diagnosis, probing
from monitor436.agent.tools.diagnosis import BAD, NOTE, OK, Finding, Heard, Knock, Tried
from monitor436.agent.tools.glance import Glance

USAGE = """\
usage: agent436.pyz doctor [options]

Tells why this host has no server: listens for beacons, greets, knocks at the TLS door, and says in a sentence what is
in the way. It changes nothing, and an agent may run meanwhile. Started by root, it also sees what the firewall of this
host drops.

  --server HOST[:PORT]   a server to try as well, where no beacon gets through; may be given several times
  --port N               where beacons are heard (UDP)
  --seconds N            how long to listen for beacons (default: 6)
  --state DIR            the state folder of the agent (default: that of an agent on this host)
  --json                 one JSON object

Exit status 0: everything works. 1: something does not. 2: a wrong command line.

examples:
  agent436.pyz doctor
  agent436.pyz doctor --server monitor.example.org --seconds 15
"""
OPTIONS = ["server=", "port=", "seconds=", "state=", "json", "help"]


def main(words: "list[str]") -> int:
    """Find out, and tell."""
    given = Words(words, OPTIONS)
    given.nothing_else()
    packed, state = packed_in_this_file(), Glance(given.text("state", state_here()))
    port = given.number("port", 1, 65535, packed.beacon_port)
    seconds = given.number("seconds", 1, 3600, 6)
    identity = known(packed, state, "")
    found = [_about(identity, state)]
    found += examine(packed, identity, given.all("server"), port, seconds)
    works = any(each.what == "door" for each in found) and not any(each.how == BAD for each in found)
    if given.has("json"):
        told = [dict(each._asdict()) for each in found]
        print(json.dumps({"works": works, "findings": told}, ensure_ascii=False))
    else:
        for each in found:
            print("{:4}  {}".format(each.how.upper() if each.how == BAD else each.how, each.sentence))
        print("everything works" if works else "something is in the way")
    return 0 if works else 1


def examine(
    packed: Packed, identity: "Identity | None", servers: "list[str]", port: int, seconds: float
) -> "list[Finding]":
    """Everything that can be found out about beacons and servers."""
    here = ["{0.name} {0.address}/{0.bits}".format(each) for each in probing.interfaces()]
    heard, found = [], []  # type: list[Heard], list[Finding]
    try:
        hears = sockets.hearing(port, packed.multicast)
    except OSError as problem:
        text = (
            "beacons cannot be heard on {}/udp: {}: another program has the port (another one: --port, and beacon.port)"
        )
        found.append(Finding(BAD, "port_in_use", text.format(port, problem.strerror)))
    else:
        key = identity.beacon_key if identity else b""
        heard = probing.listen(hears, port, key or packed.beacon_key, seconds)
        hears.close()
        found += diagnosis.beacons(heard, port, seconds, ", ".join(here), bool(servers))
    tried, named = _named(servers, packed, identity)
    for each in heard:
        if each.site == "ours" and each.address not in [other.address for other in tried]:
            tried.append(_try(packed, identity, each.server, (each.address, each.port), each.door, each))
    for server in tried:
        named += diagnosis.server(server, identity.name if identity else "", identity is not None)
    return found + named


def _about(identity: "Identity | None", state: Glance) -> Finding:
    """This host: its name, and whether an agent runs."""
    pid = state.agent()
    runs = "an agent runs here, process {}".format(pid) if pid else "no agent runs with {}".format(state.folder)
    if identity is None:
        return Finding(NOTE, "not_joined", "this host has not joined yet; " + runs)
    return Finding(OK, "host", "this host is {}; {}".format(identity.name, runs))


def _named(servers: "list[str]", packed: Packed, identity: "Identity | None") -> "tuple[list[Tried], list[Finding]]":
    """The servers named by hand."""
    tried, found = [], []
    for server in servers:
        try:
            address = sockets.resolve(server, packed.port)
        except (OSError, ValueError) as problem:
            found.append(Finding(BAD, "name", "{}: {}".format(server, getattr(problem, "strerror", None) or problem)))
        else:
            tried.append(_try(packed, identity, server.partition(":")[0], address, address[1], None))
    return tried, found


def _try(
    packed: Packed,
    identity: "Identity | None",
    server: str,
    address: "tuple[str, int]",
    door: int,
    heard: "Heard | None",
) -> Tried:
    """Go there."""
    away = _away(address[0], heard)
    greeted = said = None
    if not away:
        greeted = probing.greet(identity, address) if identity else None
        said = probing.knock(packed, identity, (address[0], door))
        if said.outcome != "taken" and heard is not None:
            away = _wrong_side(address[0], heard, greeted)
    return Tried(server, address[0], address[1], door, heard, away, greeted, said)


def _away(address: str, heard: "Heard | None") -> str:
    """Why there is no way to an address; empty if there is one."""
    why = probing.no_way_to(address)
    if not why:
        return ""
    if heard is None:
        return "no way leads there ({})".format(why)
    text = "its beacons come in on {}, but no way leads back ({}): here or there is a wrong address or VLAN"
    return text.format(heard.interface or "some interface", why)


def _wrong_side(address: str, heard: "Heard", greeted: "Knock | None") -> str:
    """What speaks for a wrong network, where nothing answers; empty if nothing does."""
    if greeted is not None and greeted.outcome == "taken":
        return ""
    on = [each for each in probing.interfaces() if each.name == heard.interface]
    if not on or heard.interface == "lo" or probing.within(address, on[0]):
        return ""
    text = "its beacons come in on {0.name}, here in another network ({0.address}/{0.bits}), and nothing answers: {1}"
    return text.format(on[0], "a wrong address or VLAN")
