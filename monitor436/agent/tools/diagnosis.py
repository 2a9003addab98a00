"""Why a host has no server: what was found out becomes one sentence each. Pure."""

from collections import namedtuple

OK, NOTE, BAD = "ok", "note", "bad"
Finding = namedtuple("Finding", "how what sentence")  # OK, NOTE or BAD, a word for programs, a sentence for people
# A sender of beacons. `site` is "ours", "other" or "none" (these are no beacons); `seen`: what it sends reaches an
# interface, but not the socket.
Heard = namedtuple("Heard", "site address interface server port door seen")
Knock = namedtuple("Knock", "outcome says")  # "taken", "refused", "closed", "silent", "unreachable", "foreign", "odd"
Tried = namedtuple("Tried", "server address port door heard away greeted door_said")
# a server that was tried: its name or what was typed, where, the `Heard` that led there or None, why there is no way
# or it is the wrong one ("" if there is none of that), two `Knock`s or None where nothing was tried


def beacons(heard: "list[Heard]", port: int, seconds: float, here: str, named: bool) -> "list[Finding]":
    """About what was heard: `here` lists our interfaces; `named`: servers were named by hand, so it matters less."""
    ours = [each for each in heard if each.site == "ours"]
    found = [_heard(each, port) for each in ours]
    if found:
        return found
    others = sorted({each.address for each in heard if each.site == "other"})
    if others:
        text = "the beacons heard, from {}, are of another site: this agent file was packed by another server"
        return [Finding(NOTE if named else BAD, "other_site", text.format(", ".join(others)))]
    text = (
        "no beacon was heard within {:g} s on {}/udp ({}): the server does not run, is on another network (then: "
        "--server HOST), or a firewall drops its broadcasts"
    )
    return [Finding(NOTE if named else BAD, "no_beacon", text.format(seconds, port, here))]


def _heard(beacon: Heard, port: int) -> Finding:
    text = "{0.server} is heard at {0.address} on {0.interface}".format(beacon)
    if not beacon.seen:
        return Finding(OK, "heard", text)
    text += (
        ", but this host drops its beacons: its own firewall does not let {}/udp in, or rp_filter thinks that they "
        "come from the wrong side"
    )
    return Finding(BAD, "dropped_here", text.format(port))


def server(tried: Tried, name: str, joined: bool) -> "list[Finding]":
    """About one server: the way there, the greeting, the door. `name` is this host's."""
    who = "{} at {}".format(tried.server, tried.address) if tried.server != tried.address else tried.address
    if tried.away:
        return [Finding(BAD, "wrong_network", "{}: {}".format(who, tried.away))]
    found = []
    said = tried.door_said.outcome
    if joined and tried.greeted.outcome != "taken":
        found.append(_unanswered(who, tried, name))
    elif joined:
        found.append(Finding(OK, "greeted", "{} answers greetings on {}/udp".format(who, tried.port)))
    if said == "taken":
        text = "{} takes {} at its door, {}/tcp".format(
            who, "the key of " + name if joined else "the join token", tried.door
        )
        found.append(Finding(OK, "door", text))
    elif not any(each.what == "refused" for each in found):
        found.append(_shut(who, tried, name, joined))
    return found


def _unanswered(who: str, tried: Tried, name: str) -> Finding:
    """Greetings are not answered; what the door says tells why."""
    if tried.door_said.outcome == "refused":
        return Finding(BAD, "refused", _refused(who, name))
    outcome, says = tried.greeted
    if outcome == "closed":
        text = "no server listens at {} on {}/udp".format(who, tried.port)
    elif outcome == "unreachable":
        text = "{} cannot be reached on {}/udp: {}".format(who, tried.port, says)
    elif tried.door_said.outcome == "taken":
        text = "{} does not answer greetings: {}/udp is blocked in between, there or back".format(who, tried.port)
    else:
        text = "{} does not answer greetings on {}/udp: it does not run, or a firewall is in between".format(
            who, tried.port
        )
    return Finding(BAD, "udp_" + outcome, text)


def _shut(who: str, tried: Tried, name: str, joined: bool) -> Finding:
    """The door cannot be used: no join and no plan."""
    outcome, says = tried.door_said
    place = "the door of {}, {}/tcp,".format(who, tried.door)
    if outcome == "refused":
        if joined:
            return Finding(BAD, "refused", _refused(who, name))
        text = "{} does not take the join token, which has expired: copy the present agent file of the server here"
        return Finding(BAD, "token", text.format(who))
    why = {
        "closed": "refuses connections: another program has the place, or a firewall says so",
        "silent": "does not answer: {}/tcp is blocked in between".format(tried.door),
        "unreachable": "cannot be reached: " + says,
        "foreign": "shows another certificate than this agent file was packed for: a server of another site",
        "odd": "cannot be used: " + says,
    }
    return Finding(BAD, "tcp_" + outcome, "{} {}".format(place, why[outcome]))


def _refused(who: str, name: str) -> str:
    return "{} does not take the key of {}: the name belongs to another host by now, or the key was revoked".format(
        who, name
    )
