"""Events files as commands are given them: the present one, rotated ones, packed ones; and what is wrong in them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from monitor436.event_pages import content
from monitor436.model.audit.proof import Proof
from monitor436.model.audit.server_files import Flaw

SHOWN = 20  # flaws and gaps shown; --json has all

files_argument = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), metavar="FILE..."
)
part_option = click.option("--part", is_flag=True, help="The files are only a part: earlier ones were deleted.")


def lines(path: str | Path) -> Iterator[bytes]:
    """Every line of an events file, unpacked if it is packed (gzip). Ends the command with a sentence if it cannot."""
    try:
        with content(path) as file:
            yield from file
    except (OSError, EOFError) as problem:
        raise click.ClickException(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None


def proved(files: Sequence[str], part: bool) -> Proof:
    """All these files, read once."""
    proof = Proof(whole=not part)
    for file in files:
        proof.read(lines(file), file)
    return proof


def told(flaw: Flaw) -> str:
    """A flaw for people."""
    where = f"{flaw.file}:{flaw.line}" if flaw.line else flaw.file
    return f"{where}: {flaw.what}: {numbers(flaw.spool, flaw.first, flaw.last)}"


def numbers(spool: str, first: int, last: int) -> str:
    """An id, or the first and last of several."""
    return f"{spool}/{first}" if first == last else f"{spool}/{first} to {last}"


def some(found: Sequence[str]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    yield from found[:SHOWN]
    if len(found) > SHOWN:
        yield f"… and {len(found) - SHOWN} more (--json has all)"
