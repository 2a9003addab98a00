"""`monitor436 verify`: the proof that nothing is missing or doubled."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import json

from monitor436.model.proof import Proof
from monitor436.model.words import count

SHOWN = 20  # flaws shown; --json has all


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), metavar="FILE...")
@click.option("--part", is_flag=True, help="The files are only a part: earlier ones were deleted by rotation.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def verify(files: tuple[str, ...], part: bool, as_json: bool) -> None:
    """Check an events file: every number of every spool exactly once, as a line or inside a LOST range.

    Give the rotated files of one server together with the present one; they are read oldest first. Exit status 0 if
    complete, 1 if something is missing or doubled.

    \b
    monitor436 verify var/events.jsonl
    monitor436 verify var/events.jsonl var/events.jsonl.2*
    """
    proof = Proof().read(_lines(sorted(map(Path, files), key=_age)), whole=not part)
    if as_json:
        click.echo(
            json.encode(
                {name: getattr(proof, name) for name in ("lines", "spools", "lost", "elsewhere", "unread", "flaws")}
            )
        )
    else:
        for flaw in proof.flaws[:SHOWN]:
            numbers = f"{flaw.first}" if flaw.first == flaw.last else f"{flaw.first} to {flaw.last}"
            click.echo(f"line {flaw.line}: {flaw.what}: {flaw.spool}/{numbers}")
        if len(proof.flaws) > SHOWN:
            click.echo(f"… and {len(proof.flaws) - SHOWN} more (--json has all)")
        verdict = "complete" if not proof.flaws else f"not complete: {count(len(proof.flaws), 'flaw')}"
        click.echo(
            f"{verdict}: {count(proof.lines, 'event')} of {count(proof.spools, 'spool')}, {proof.lost} lost and told, "
            f"{proof.elsewhere} elsewhere, {count(proof.unread, 'line')} unread"
        )
    sys.exit(1 if proof.flaws else 0)


def _age(path: Path) -> tuple[bool, str]:
    """Rotated files by their time, then the present one."""
    return path.suffix == ".jsonl", path.name


def _lines(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with open(path, "rb") as file:
            yield from file
