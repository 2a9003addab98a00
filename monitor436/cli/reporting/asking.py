"""One round of questions to a fleet: the reactor runs until every target has answered or failed."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from monitor436.cli.until_told import until_told
from monitor436.model.fleet.errand import Told
from monitor436.model.fleet.report import Failure, Round
from monitor436.model.fleet.statuses import Question, StatusError, read_status
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Probe, Target
from monitor436.probes.web.http import HttpProbe
from monitor436.probes.web.tls import TlsOptions, creators

DIGITS = 4  # of seconds that are kept: a tenth of a millisecond
GARBAGE = (100_000, 50, 50)  # a command that soon ends looks for it less often: it took a third of a large round


class Asking(NamedTuple):
    """How it is asked: `timeout` (seconds) is for all of an exchange and its `retries`; `at_once` targets at a time."""

    timeout: float = 1.0
    at_once: int = 10_000
    retries: int = 3
    headers: tuple[tuple[str, str], ...] = ()
    tls: TlsOptions = TlsOptions()
    follow: int = 0  # redirects


def how(
    timeout: float,
    at_once: int,
    retries: int,
    follow: int,
    headers: tuple[list[tuple[str, str]], ...],
    ca: str | None,
    cert: str | None,
    key: str | None,
    insecure: bool,
) -> Asking:
    """How everybody is asked, by a command line: what cannot be sent or trusted is told before that.

    Raises click.UsageError.
    """
    fields = tuple(field for each in headers for field in each)
    tls = TlsOptions(ca or "", cert or "", key or "", insecure)
    if key and not cert:
        raise click.UsageError("--key is the key of a certificate: give that with --cert")
    try:
        HttpProbe(None, timeout, fields, TlsOptions())
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    try:
        creators(tls)
    except Exception as problem:  # OpenSSL's own errors have no base in common with others
        raise click.UsageError(f"--ca, --cert or --key: no good PEM file: {problem}") from None
    return Asking(timeout, at_once, max(0, retries), fields, tls, follow)


def ask(targets: Sequence[Target], asking: Asking, question: Question, twice: Sequence[str]) -> Round:
    """Ask every target once, and read what they say. Raises click.Abort if that is interrupted."""
    from twisted.internet import reactor

    at, began = round(time.time() * 1000), time.monotonic()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    with progress(len(targets)) as heard:

        def keep(result: Answer | Failed) -> Told:
            told = tell(result, question)
            heard(isinstance(told, Failure))
            return told

        results = _run(reactor, targets, asking, keep)
    return gathered(results, at, time.monotonic() - began, twice)


def gathered(told: Sequence[Told], at: int, seconds: float, twice: Sequence[str] = ()) -> Round:
    """A round out of what its targets said."""
    statuses = [each for each in told if not isinstance(each, Failure)]
    failures = [each for each in told if isinstance(each, Failure)]
    return Round(at, seconds, statuses, failures, twice)


def tell(result: Answer | Failed, question: Question) -> Told:
    """What is kept of a result, which is not its body. A body that is no status is a failure too."""
    if isinstance(result, Answer):
        try:
            return read_status(result.body, question), result.seconds
        except StatusError as wrong:
            reason, text = wrong.reason, wrong.text
    else:
        reason, text = result.reason, result.text
    return Failure(result.target.name, result.target.url, reason, text, round(result.seconds, DIGITS))


def _run(
    reactor: Any, targets: Sequence[Target], asking: Asking, keep: Callable[[Answer | Failed], Told]
) -> list[Told]:
    probe = make_probe(reactor, asking)
    poller = Poller(reactor, probe, asking.at_once, asking.retries)
    results: list[Told] = []

    async def work() -> None:
        results.extend(await poller.read(targets, keep))

    if not until_told(work, probe.close, reactor):
        raise click.Abort
    return results


def make_probe(reactor: Any, asking: Asking) -> Probe:
    """The plain probe, or that which follows: treq costs a third of a second at the start."""
    if not asking.follow:
        return HttpProbe(reactor, asking.timeout, asking.headers, asking.tls)
    from monitor436.probes.web.following import FollowingProbe

    return FollowingProbe(reactor, asking.timeout, asking.headers, asking.tls, follow=asking.follow)


class Pace(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "-/s", style="progress.data.speed")


@contextmanager
def progress(total: int, console: Console | None = None) -> Iterator[Callable[[bool], object]]:
    """A bar on standard error, if that is a terminal, with rate and remaining time; what it gives is called for each
    target, and told whether that failed."""
    console = console or Console(stderr=True)
    failed = 0
    columns = (TextColumn("asked"), BarColumn(), MofNCompleteColumn(), Pace(), TimeRemainingColumn())
    more = TextColumn("{task.fields[failed]} failed")
    with Progress(*columns, more, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("asked", total=total, failed=0)

        def heard(fails: bool) -> None:
            nonlocal failed
            failed += fails
            bar.update(task, advance=1, failed=failed)

        yield heard
