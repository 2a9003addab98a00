"""One round of questions to a fleet: the reactor runs until every target has answered or failed."""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure as Problem

from monitor436.model.fleet_report import Failure, Round
from monitor436.model.statuses import Question, Status, StatusError, read_status
from monitor436.probes.http import HttpProbe
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Target
from monitor436.probes.tls import TlsOptions

DIGITS = 4  # of seconds that are kept: a tenth of a millisecond
SPARE = 100  # descriptors for everything else


class Asking(NamedTuple):
    """How it is asked: `timeout` (seconds) is for all of an exchange and its `retries`; `at_once` targets at a time."""

    timeout: float = 1.0
    at_once: int = 1000
    retries: int = 3
    headers: tuple[tuple[str, str], ...] = ()
    tls: TlsOptions = TlsOptions()


def ask(targets: Sequence[Target], asking: Asking, question: Question, twice: Sequence[str]) -> Round:
    """Ask every target once, and read what they say. Raises click.Abort if that is interrupted."""
    from twisted.internet import reactor

    at, began = round(time.time() * 1000), time.monotonic()
    with progress(len(targets)) as heard:
        results = _run(reactor, targets, asking, heard)
    return told(results, question, at, time.monotonic() - began, twice)


def told(
    results: Sequence[Answer | Failed], question: Question, at: int, seconds: float, twice: Sequence[str] = ()
) -> Round:
    """A round out of its results: a body that is no status is a failure too."""
    statuses: list[tuple[Status, float]] = []
    failures: list[Failure] = []
    for result in results:
        if isinstance(result, Answer):
            try:
                statuses.append((read_status(result.body, question), result.seconds))
                continue
            except StatusError as wrong:
                reason, text = wrong.reason, wrong.text
        else:
            reason, text = result.reason, result.text
        name, url, taken = result.target.name, result.target.url, round(result.seconds, DIGITS)
        failures.append(Failure(name, url, reason, text, taken))
    return Round(at, seconds, statuses, failures, twice)


def _run(
    reactor: Any, targets: Sequence[Target], asking: Asking, heard: Callable[[object], object]
) -> list[Answer | Failed]:
    probe = HttpProbe(reactor, asking.timeout, asking.headers, asking.tls)
    poller = Poller(reactor, probe, min(asking.at_once, _descriptors()), asking.retries)
    outcome: list[Any] = []

    async def turn() -> list[Answer | Failed]:
        try:
            return await poller.poll(targets, heard)
        finally:
            await probe.close()

    def ended(result: Any) -> None:
        outcome.append(result)
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(turn()).addBoth(ended))
    reactor.run()
    if not outcome:
        raise click.Abort
    if isinstance(outcome[0], Problem):
        outcome[0].raiseException()
    results: list[Answer | Failed] = outcome[0]
    return results


def _descriptors() -> int:
    """How many connections may be open, after the limit was raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return sys.maxsize if hard == resource.RLIM_INFINITY else max(1, hard - SPARE)


class Pace(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "-/s", style="progress.data.speed")


@contextmanager
def progress(total: int, console: Console | None = None) -> Iterator[Callable[[object], object]]:
    """A bar on standard error, if that is a terminal, with rate and remaining time; what it gives is called with each
    result."""
    console = console or Console(stderr=True)
    failed = 0
    columns = (TextColumn("asked"), BarColumn(), MofNCompleteColumn(), Pace(), TimeRemainingColumn())
    more = TextColumn("{task.fields[failed]} failed")
    with Progress(*columns, more, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("asked", total=total, failed=0)

        def heard(result: object) -> None:
            nonlocal failed
            failed += isinstance(result, Failed)
            bar.update(task, advance=1, failed=failed)

        yield heard
