"""Settings of notifications: who is told of what, how, and how often."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Struct

from monitor436.model.settings.polls import TOKEN, VALUE
from monitor436.model.settings.said import DAY, Port, why
from monitor436.model.source import Path
from monitor436.model.units import Duration, FilePath, HostPattern

KINDS = ("mail", "webhook", "command", "alertmanager", "syslog")
Level = Literal["info", "warning", "critical"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_URL = re.compile(r"https?://[!-~]{1,2000}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Mail(Struct, frozen=True):
    """Mail over SMTP."""

    to: Annotated[tuple[str, ...], why("The addresses that get it.")] = ()
    sender: Annotated[str, why("The address it comes from.")] = "monitor436@localhost"
    host: Annotated[str, why("The mail server, by name or address.")] = "localhost"
    port: Annotated[Port, why("Its port: 587 or 25; with tls: always 465.")] = 587
    tls: Annotated[
        Literal["starttls", "always", "off"],
        why("starttls: required before anything is said; always: from the first byte; off: in the clear."),
    ] = "starttls"
    ca: Annotated[FilePath, why("PEM certificates that are trusted instead of the system's.")] = ""
    user: Annotated[str, why('Who signs in; "": nobody.')] = ""
    password_file: Annotated[FilePath, why("A file whose first line is the password.")] = ""
    time_limit: Annotated[Duration, why("How long one mail may take in all.", ge=1.0, le=600.0)] = 60.0

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if not self.to:
            yield ("to",), "must name an address"
        for place, mailbox in [*((("to", n), each) for n, each in enumerate(self.to)), (("sender",), self.sender)]:
            if not _MAILBOX.fullmatch(mailbox):
                yield place, 'expected an address such as "ops@example.net"'
        if bool(self.user) != bool(self.password_file):
            yield ("user",), "user and password_file are given together or not at all"
        if self.user and self.tls == "off":
            yield ("tls",), "a password does not travel in the clear: starttls or always"


class Webhook(Struct, frozen=True):
    """A POST of JSON to an address of yours."""

    url: Annotated[str, why("Where it goes, http or https.")] = ""
    template: Annotated[FilePath, why("A JSON file with {subject} and the like in its texts; see the manual.")] = ""
    secret_file: Annotated[FilePath, why("A file whose first line signs each body (HMAC-SHA-256).")] = ""
    headers: Annotated[dict[str, str], why("Further header fields, such as Authorization.")] = {}
    ca: Annotated[FilePath, why("PEM certificates that are trusted instead of the system's.")] = ""
    time_limit: Annotated[Duration, why("How long one request may take in all.", ge=0.1, le=300.0)] = 15.0

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        yield from _no_url(self.url, "url")
        for name, value in self.headers.items():
            if not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
                yield ("headers", name), "cannot be sent as a header field"


class Command(Struct, frozen=True):
    """A program of yours, which reads the text from its standard input."""

    argv: Annotated[tuple[str, ...], why("The program and its arguments; no shell is between.")] = ()
    time_limit: Annotated[Duration, why("After how long it is ended, with all it started.", ge=0.1, le=600.0)] = 30.0

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if not self.argv or not self.argv[0].startswith("/"):
            yield ("argv",), 'must begin with the whole path of a program, such as "/usr/local/bin/page"'
        if any("\0" in word for word in self.argv):
            yield ("argv",), "cannot hold a zero byte"


class Alertmanager(Struct, frozen=True):
    """Alerts for Prometheus' Alertmanager, which groups and sends them itself."""

    url: Annotated[str, why('Its address, such as "http://alerts.example.net:9093".')] = ""
    headers: Annotated[dict[str, str], why("Header fields of every request, such as Authorization.")] = {}
    ca: Annotated[FilePath, why("PEM certificates that are trusted instead of the system's.")] = ""
    refresh: Annotated[Duration, why("How often what is still bad is stated anew.", ge=0.5, le=3600.0)] = 60.0
    expires: Annotated[
        Duration, why("After how long without that an alert counts as over there.", ge=10.0, le=30 * DAY)
    ] = 3600.0
    time_limit: Annotated[Duration, why("How long one request may take in all.", ge=0.1, le=300.0)] = 15.0

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        yield from _no_url(self.url, "url")
        if self.expires < 3 * self.refresh:
            yield ("expires",), "must be at least three times refresh: two that are lost do no harm"
        for name, value in self.headers.items():
            if not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
                yield ("headers", name), "cannot be sent as a header field"


class Syslog(Struct, frozen=True):
    """A line for each item, as RFC 5424 has it."""

    over: Annotated[Literal["udp", "tcp", "unix"], why("How it travels; unix: a socket on this machine.")] = "unix"
    host: Annotated[str, why("The server, for udp and tcp.")] = "localhost"
    port: Annotated[Port, why("Its port.")] = 514
    path: Annotated[FilePath, why("The socket, for unix.")] = "/dev/log"
    facility: Annotated[int, why("The facility's number; 16 is local0.", ge=0, le=23)] = 16
    time_limit: Annotated[Duration, why("How long one notification may take in all.", ge=0.1, le=300.0)] = 10.0


class Quiet(Struct, frozen=True):
    """Hours in which only what is severe is told at once; by the clock and time zone of this server."""

    begins: Annotated[str, why('When they begin, such as "22:00"; "": never.')] = ""
    ends: Annotated[str, why("When they end; what is bad still is told then.")] = "07:00"
    days: Annotated[tuple[str, ...], why("The days on which they begin, such as [sat, sun]; empty: all.")] = ()
    but: Annotated[Level, why("What is told nevertheless: this severity or worse.")] = "critical"

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        for name in ("begins", "ends"):
            if (self.begins or name == "ends") and not _CLOCK.fullmatch(getattr(self, name)):
                yield (name,), 'expected a time of day such as "22:00"'
        for number, day in enumerate(self.days):
            if day not in DAYS:
                yield ("days", number), f"expected one of {', '.join(DAYS)}"


class Route(Struct, frozen=True):
    """What goes to whom. Whatever fits all that is given goes there; every route is tried."""

    to: Annotated[tuple[str, ...], why("Names of notifiers.")] = ()
    severity: Annotated[Level, why("This severity or worse.")] = "warning"
    hosts: Annotated[tuple[HostPattern, ...], why("Hosts; empty: all, and the server itself.")] = ()
    checks: Annotated[tuple[str, ...], why("Patterns for names of checks; empty: all, and hosts themselves.")] = ()
    tags: Annotated[tuple[str, ...], why("One of these tags; empty: any.")] = ()

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if not self.to:
            yield ("to",), "must name a notifier"


class Notify(Struct, frozen=True):
    """Who is told of what, how, and how often."""

    mail: Annotated[dict[str, Mail], why("Mail, by a name of yours.")] = {}
    webhook: Annotated[dict[str, Webhook], why("A POST of JSON, signed, by a name of yours.")] = {}
    command: Annotated[dict[str, Command], why("A program that reads the text, by a name of yours.")] = {}
    alertmanager: Annotated[dict[str, Alertmanager], why("Prometheus' Alertmanager, by a name of yours.")] = {}
    syslog: Annotated[dict[str, Syslog], why("Lines of syslog (RFC 5424), by a name of yours.")] = {}
    routes: Annotated[
        dict[str, Route], why("What goes to whom, by a name of yours; empty: warnings and worse to everybody.")
    ] = {}
    group_wait: Annotated[
        Duration, why("How long news waits for more, so that one trouble is one notification.", ge=0.0, le=3600.0)
    ] = 15.0
    repeat_every: Annotated[
        Duration, why("The same kind of line of a log is told again after this, with a count.", ge=0.0, le=DAY)
    ] = 300.0
    remind_every: Annotated[
        Duration, why("How often one is reminded of what is still bad and nobody acknowledged; 0s: never.", ge=0.0)
    ] = 4 * 3600.0
    quiet: Annotated[Quiet, why("Quiet hours.")] = Quiet()
    dead_man: Annotated[
        str, why('An outside address that is asked while all is well here, and alarms when that ends; "": none.')
    ] = ""
    dead_man_every: Annotated[Duration, why("How often it is asked.", ge=1.0, le=DAY)] = 60.0

    def named(self) -> dict[str, tuple[str, Struct]]:
        """Every notifier by its name: its kind, and its settings."""
        return {name: (kind, each) for kind in KINDS for name, each in getattr(self, kind).items()}

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        seen: dict[str, str] = {}
        for kind in KINDS:
            for name in getattr(self, kind):
                if not _NAME.fullmatch(name):
                    yield (kind, name), "a notifier's name has letters, digits, - and _ only, at most 64"
                elif name in seen:
                    yield (kind, name), f"is the name of a notifier already, under {seen[name]}"
                seen[name] = kind
        for name, route in self.routes.items():
            for number, to in enumerate(route.to):
                if to not in seen:
                    yield ("routes", name, "to", number), "is the name of no notifier"
        if self.dead_man:
            yield from _no_url(self.dead_man, "dead_man")
        if 0 < self.remind_every < 60:
            yield ("remind_every",), "must be at least 1m, or 0s for never"


def _no_url(written: str, name: str) -> Iterator[tuple[Path, str]]:
    if not _URL.fullmatch(written):
        yield (name,), 'expected an address such as "https://example.net/alerts"'
