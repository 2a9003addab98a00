"""What is told of hosts: each change as an event, in the words of the operator."""

from collections.abc import Sequence

from monitor436.model import event as kinds
from monitor436.model.event import Event, Field, Severity
from monitor436.model.hosts.host import (
    DOWN,
    DUPLICATE_NAME,
    GOODBYE,
    NEVER_SEEN,
    REBOOTED,
    SEGMENT_LOST,
    SILENT,
    Host,
)
from monitor436.model.words import count, span

SHOWN = 5  # names of hosts in a text


def found(name: str) -> Event:
    """A host is heard for the first time."""
    return Event(kind=kinds.HOST_FOUND, host=name, text=f"{name} is heard for the first time")


def up_again(name: str, was: str, quiet: float) -> Event:
    """A host is heard again, after so many seconds, in which it `was` in that state."""
    fields: dict[str, Field] = {"was": was, "seconds": round(quiet, 1)}
    return Event(kind=kinds.HOST_UP, host=name, text=f"{name} is up again after {span(quiet)} ({was})", fields=fields)


def late(host: Host, now: float) -> Event:
    """A host has not beaten for its time-out."""
    return _silence(kinds.HOST_LATE, "warning", host, SILENT, f"{host.name} is late", now)


def down(host: Host, reason: str, now: float) -> Event:
    """The verdict, with its reason."""
    said = {NEVER_SEEN: "was never heard", SEGMENT_LOST: "is down, as are others that fell silent with it"}
    return _silence(kinds.HOST_DOWN, "critical", host, reason, f"{host.name} {said.get(reason, 'is down')}", now)


def stopped(name: str) -> Event:
    """An agent said goodbye."""
    fields: dict[str, Field] = {"reason": GOODBYE}
    return Event(kind=kinds.HOST_STOPPED, host=name, text=f"the agent on {name} was stopped", fields=fields)


def rebooted(name: str) -> Event:
    """A host came back with another boot id."""
    fields: dict[str, Field] = {"reason": REBOOTED}
    return Event(kind=kinds.HOST_REBOOTED, host=name, severity="warning", text=f"{name} was rebooted", fields=fields)


def twice(name: str, addresses: Sequence[str]) -> Event:
    """Two machines speak under one name."""
    who = f"two machines are {name}, at {' and '.join(addresses)}: one is a copy of the other"
    text = f"{who}; empty the state folder of the copy, so that it joins under a name of its own"
    fields: dict[str, Field] = {"reason": DUPLICATE_NAME, "addresses": " ".join(addresses)}
    return Event(kind=kinds.DUPLICATE_NAME, host=name, severity="critical", text=text, fields=fields)


def flapping(host: Host, changes: int, within: float, still: float) -> Event:
    """A host went down and came back, or started anew, so often within some seconds that nothing more is told until it
    holds `still`.
    """
    told = f"nothing more about it until it has been in one state for {span(still)}"
    text = f"{host.name} is flapping: {count(changes, 'change')} in {span(within)}, now {host.state}; {told}"
    fields: dict[str, Field] = {"state": host.state, "changes": changes, "seconds": round(within, 1)}
    return Event(kind=kinds.HOST_FLAPPING, host=host.name, severity="warning", text=text, fields=fields)


def steady(host: Host, changes: int, still: float) -> Event:
    """A host that flapped has been in one state for long enough."""
    severity: Severity = "critical" if host.state == DOWN else "info"
    text = f"{host.name} flaps no more: {host.state} for {span(still)}, after {count(changes, 'change')}"
    fields: dict[str, Field] = {"state": host.state, "changes": changes, "seconds": round(still, 1)}
    return Event(kind=kinds.HOST_STEADY, host=host.name, severity=severity, text=text, fields=fields)


def isolated(silent: Sequence[str], alive: int, hold: float) -> Event:
    """Many hosts fell silent at once: it may be the network, or this server."""
    shown = ", ".join(sorted(silent)[:SHOWN]) + (", …" if len(silent) > SHOWN else "")
    doubt = f"that may be the network or this server: verdicts wait for {span(hold)}"
    text = f"{len(silent)} of {count(alive, 'host')} fell silent at once; {doubt} ({shown})"
    fields: dict[str, Field] = {"hosts": len(silent), "of": alive}
    return Event(kind=kinds.ISOLATED, severity="critical", text=text, fields=fields)


def rejoined(back: int, gone: int, lasted: float) -> Event:
    """How that ended: so many are heard again, so many are down."""
    severity: Severity = "warning" if gone else "info"
    rest = f", {gone} are down" if gone > 1 else f", {gone} is down" if gone else ""
    text = f"{back} of {count(back + gone, 'host')} that fell silent at once are heard again after {span(lasted)}{rest}"
    fields: dict[str, Field] = {"back": back, "down": gone, "seconds": round(lasted, 1)}
    return Event(kind=kinds.ISOLATION_OVER, severity=severity, text=text, fields=fields)


def _silence(kind: str, severity: Severity, host: Host, reason: str, text: str, now: float) -> Event:
    quiet = now - host.last
    fields: dict[str, Field] = {"reason": reason, "seconds": round(quiet, 1)}
    return Event(kind=kind, host=host.name, severity=severity, text=f"{text}: silent for {span(quiet)}", fields=fields)
