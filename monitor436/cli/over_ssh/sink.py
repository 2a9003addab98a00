"""`monitor436 uptime sink`: write what workers found into a file."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from monitor436.cli.lines import plain
from monitor436.cli.over_ssh.row_book import RowBook
from monitor436.cli.redis_options import complain, named, queue_of, with_redis
from monitor436.cli.until_told import until_told
from monitor436.model.sweep.remote import console_line
from monitor436.model.sweep.rows import Row, Tally
from monitor436.model.words import count
from monitor436.queues.taking import Sink


@click.command("sink")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--batch", default="", metavar="NAME", callback=named, help="Wait for the end of this one.")
@click.option("--stay", is_flag=True, help="Go on when all batches are over.")
@with_redis("uptime")
def uptime_sink(path: Path, batch: str, stay: bool, **words: Any) -> None:
    """Write a line of JSON for each host into FILE, and a line for people on standard output.

    A line is on the disk before the queue forgets its result. Started again on the same file it goes on: every host
    of a batch is in it once. It ends with the batches that it had results of: exit status 0 if every host answered, 1
    if some did not or it was interrupted, 2 for a wrong command line or a file that cannot be had.

    \b
    monitor436 uptime sink uptimes.jsonl --redis redis1:6379
    """
    from twisted.internet import reactor

    queue = queue_of(words, reactor)
    bad: list[str] = []

    def tell(row: Row) -> None:
        click.echo(plain(console_line(row.worker, row)))

    def ended(name: str, tally: Tally, total: int | None) -> None:
        click.echo(plain(tally.told(name, total)))
        if total is None or tally.well < total:
            bad.append(name)

    try:
        book = RowBook(path, tell, ended, time.time, reactor)
    except BlockingIOError:
        raise click.UsageError(f"{path}: another sink writes it") from None
    except OSError as problem:
        raise click.UsageError(f"{path}: {problem.strerror}") from None
    if sys.stderr.isatty():
        click.echo("waits for what workers find; Ctrl-C ends it", err=True)
    sink = Sink(queue, book, complain, reactor, [batch] if batch else [], stay)
    whole = until_told(sink.run, queue.close, reactor)
    book.close()
    if not whole:
        for name in sink.open:
            click.echo(f"batch {name}: {count(book.rows(name), 'host')} written so far", err=True)
    sys.exit(0 if whole and not bad else 1)
