"""`monitor436 push`: the use of this machine's processors and memory, published to receivers of metrics."""

import ipaddress
import re
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import click
import psutil
from twisted.internet.defer import Deferred

from monitor436.cli.pushed.credentials import Certificate, Credentials, Nobody, TokenFile
from monitor436.cli.pushed.posting import Poster, Trust
from monitor436.cli.pushed.publishing import Publishing, Receiver
from monitor436.cli.until_told import until_told
from monitor436.model.fleet.inventory import read_line
from monitor436.probes.web.tls import TlsOptions

FLUSH = 2.0  # seconds that the last sample has when the command is told to stop
PERF = "/api/perf"
HOST = re.compile(r"[^\s/\x00-\x1f\x7f]{1,100}")


@click.command()
@click.option("--this-host", "host", required=True, metavar="NAME", help="What this host is called there.")
@click.option(
    "--publish", "published", multiple=True, required=True, metavar="URL...",
    help="Where to publish, such as http://monitor:4380/api/perf; several, each on its own.",
)  # fmt: skip
@click.argument("more", nargs=-1, metavar="[URL]...")
@click.option("--interval", type=click.IntRange(1, 3600), default=1, show_default=True, help="Seconds between two.")
@click.option("--token-file", type=click.Path(dir_okay=False), help="A file with a token, read again when replaced.")
@click.option("--ca", default="", metavar="FILE", help="PEM certificates to trust instead of the system's.")
@click.option("--certificate", default="", metavar="FILE", help="PEM certificate and key, which get a token there.")
@click.option("--plain", is_flag=True, help="Let the token pass networks without TLS.")
@click.option("--once", is_flag=True, help="Measure and publish once; exit status 1 if any receiver did not take it.")
def push(
    host: str,
    published: tuple[str, ...],
    more: tuple[str, ...],
    interval: int,
    token_file: str | None,
    ca: str,
    certificate: str,
    plain: bool,
    once: bool,
) -> None:
    """Measure the use of processors (cpu) and memory (mem) in percent, and publish both.

    While a receiver is away, the samples of up to an hour wait for it. Runs until it is interrupted.

    \b
    monitor436 token new $(hostname) --scope metrics --host $(hostname) > token        # there
    monitor436 push --this-host $(hostname) --publish http://localhost:4380/api/perf --token-file token
    """
    if not HOST.fullmatch(host):
        raise click.UsageError("--this-host: expected a name of at most 100 characters without spaces and slashes")
    if token_file and certificate:
        raise click.UsageError("--token-file and --certificate are two ways to the same: choose one")
    urls = list(dict.fromkeys([*published, *more]))
    for url in urls:
        if wrong := _wrong(url, bool(token_file), bool(certificate), plain):
            raise click.UsageError(f"{url}: {wrong}")
    try:
        trust = Trust(TlsOptions(ca=ca, cert=certificate))
        token: Credentials = TokenFile(token_file) if token_file else Nobody()
    except (OSError, ValueError) as problem:
        named = isinstance(problem, OSError) and problem.filename
        raise click.UsageError(f"{problem.filename}: {problem.strerror}" if named else str(problem)) from None  # type: ignore[union-attr]

    from twisted.internet import reactor

    poster = Poster(trust, reactor)

    def credentials(url: str) -> Credentials:
        return Certificate(_root(url), poster.post) if certificate else token

    def complain(line: str) -> None:
        click.echo(line, err=True)

    receivers = [
        Receiver(url, host, poster.post, credentials(url), click.echo, complain, time.monotonic, once) for url in urls
    ]
    publishing = Publishing(interval, measured, receivers, time.time, reactor)
    _run(publishing, poster, once, reactor)
    left = sum(len(receiver.backlog) + receiver.backlog.dropped for receiver in receivers)
    if left:
        click.echo(f"{left} of what was measured {'was' if left == 1 else 'were'} not published", err=True)
    sys.exit(1 if once and left else 0)


def measured() -> dict[str, float]:
    """Percent of all processors since the call before, and of memory."""
    return {"cpu": psutil.cpu_percent(interval=None), "mem": psutil.virtual_memory().percent}


def _wrong(url: str, token: bool, certificate: bool, plain: bool) -> str:
    """What is wrong with a URL to publish at, in a sentence; or ""."""
    try:
        listed = read_line(url) if "://" in url else None
    except ValueError as wrong:
        return str(wrong)
    if listed is None or urlsplit(url).query:
        return "expected a URL such as http://monitor:4380/api/perf"
    secure = listed.url.startswith("https:")
    if certificate and not secure:
        return "a certificate is shown over https only"
    if certificate and not url.rstrip("/").endswith(PERF):
        return f"with a certificate a URL must end in {PERF}, so that it is known where tokens are given"
    if token and not (secure or plain or _here(listed.host)):
        return "a token would pass the network where everybody can read it: use https, or --plain if that is meant"
    return ""


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _root(url: str) -> str:
    return url.rstrip("/").removesuffix(PERF)


def _run(publishing: Publishing, poster: Poster, once: bool, reactor: Any) -> None:
    """Until a signal comes; or, `once`, until every receiver was asked."""

    async def finish() -> None:
        if publishing.running:
            publishing.stopService()
        settled = publishing.settled()
        settled.addTimeout(FLUSH, reactor, onTimeoutCancel=lambda outcome, seconds: None)
        await settled
        await poster.close()

    async def publish() -> None:
        publishing.startService()
        first: Deferred[None] = Deferred()
        if once:
            reactor.callLater(publishing.every + 0.01, first.callback, None)
        await first
        publishing.stopService()
        await publishing.settled()

    until_told(publish, finish, reactor)
