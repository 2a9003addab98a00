"""`monitor436 verify`: the proof that nothing is missing or doubled."""

import sys

import click
from msgspec import json

from monitor436.cli.event_files import files_argument, lines, numbers, part_option, proved, some, told
from monitor436.cli.lines import plain
from monitor436.model.audit.merging import compared
from monitor436.model.audit.proof import Proof
from monitor436.model.words import count

COUNTS = ("lines", "events", "spools", "lost", "elsewhere", "unread")


@click.command()
@files_argument
@part_option
@click.option("--json", "as_json", is_flag=True, help="For scripts: counts, all flaws, all gaps with their causes.")
def verify(files: tuple[str, ...], part: bool, as_json: bool) -> None:
    """Check events files: every number of every spool exactly once, as a line or inside a LOST range.

    Give the rotated files of a server together with the present one, and the files of all servers of a site if you
    have them; the order does not matter, and packed ones (gzip) are read too. Exit status 0 if complete, 1 if
    something is missing, doubled or contradicts, or if there is no event at all.

    \b
    monitor436 verify var/events.jsonl
    monitor436 verify var/events.jsonl var/events.jsonl.2*
    monitor436 verify srv1/events.jsonl* srv2/events.jsonl*
    """
    proof = proved(files, part)
    compared(proof, [lines(file) for file in files])
    flaws = proof.flaws
    if not proof.events and not flaws:
        raise click.ClickException(f"no event in {count(len(files), 'file')}: there is nothing to prove")
    if as_json:
        counts = {name: getattr(proof, name) for name in COUNTS}
        shared = sum(ranges.total for ranges in proof.shared.values())
        more = {"servers": len(proof.servers), "twice": shared, "flaws": flaws, "gaps": proof.gaps}
        click.echo(json.encode({"complete": not flaws, **counts, **more}))
    else:
        _tell(proof)
    sys.exit(1 if flaws else 0)


def _tell(proof: Proof) -> None:
    flaws, gaps = proof.flaws, proof.gaps
    for text in some([told(flaw) for flaw in flaws]):
        click.echo(text)
    verdict = "complete" if not flaws else f"not complete: {count(len(flaws), 'flaw')}"
    servers = len(proof.servers)
    on = f" on {servers} servers" if servers > 1 else ""
    click.echo(
        f"{verdict}: {count(proof.events, 'event')} of {count(proof.spools, 'spool')}{on}, {proof.lost} lost and told, "
        f"{proof.elsewhere} elsewhere, {count(proof.unread, 'line')} unread"
    )
    closed = [gap for gap in gaps if gap.why != "open"]
    for text in some([f"{gap.why}: {numbers(gap.spool, gap.first, gap.last)}: {plain(gap.text)}" for gap in closed]):
        click.echo(text)
    if len(gaps) > len(closed):
        click.echo(f"{count(len(gaps) - len(closed), 'spool')} not ended: more may come")
