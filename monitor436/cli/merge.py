"""`monitor436 merge`: one stream of events out of the files of several servers."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click

from monitor436.cli.event_files import files_argument, lines, part_option, proved, some, told
from monitor436.model.audit.merging import Merging
from monitor436.model.words import count


@click.command()
@files_argument
@part_option
@click.option("-o", "--output", default="-", show_default=True, help="Where to write it; -: standard output.")
def merge(files: tuple[str, ...], part: bool, output: str) -> None:
    """Make one events file out of those of several servers, rotated ones too: each event once.

    Events stand in the order in which a server first had them, those of one spool by number. Where one server says
    that an event was lost or is elsewhere, and another has it, it is there. `monitor436 verify` takes the result like
    any other file. The files are read twice, and memory does not grow with them as long as the clocks of the servers
    agree. Exit status 1 if two files contradict each other: the same id with another content; the first one is kept.

    \b
    monitor436 merge srv1/events.jsonl* srv2/events.jsonl* -o all.jsonl
    """
    if any(os.path.realpath(file) == os.path.realpath(output) for file in files):
        raise click.ClickException(f"{output} is one of the files that are read: a server may be writing to it")
    proof = proved(files, part)
    merging = Merging(proof)
    found = merging.merged([lines(file) for file in files])
    if output == "-":
        _write(sys.stdout.buffer, found)
    else:
        _replace(Path(output), found)
    contradictions = proof.differing
    for text in some([told(flaw) for flaw in contradictions]):
        click.echo(text, err=True)
    others = len(proof.flaws) - len(contradictions)
    more = f"; {count(others, 'flaw')}: see monitor436 verify" if others else ""
    what = f"{count(merging.written, 'event')} out of {count(proof.lines, 'line')} in {count(len(files), 'file')}"
    click.echo(f"{what}{more}", err=True)
    sys.exit(1 if contradictions else 0)


def _replace(path: Path, found: Iterable[bytes]) -> None:
    """The file is whole when it is there, and may be read by those who may read events files."""
    new = path.with_name(path.name + ".new")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            _write(file, found)
        os.replace(new, path)
    except OSError as problem:
        raise click.ClickException(f"{path}: {problem.strerror}") from None


def _write(file: BinaryIO, found: Iterable[bytes]) -> None:
    for line in found:
        file.write(line)
    file.flush()
