"""A sweep as people read it on a terminal."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor436.cli.lines import plain
from monitor436.model.sweep.folding import folded
from monitor436.model.sweep.remote import Result
from monitor436.model.sweep.uptime import printed
from monitor436.model.words import count

LONGEST = 100  # columns of an error
RULE = "-" * 15


def print_table(console: Console, results: Sequence[Result]) -> None:
    """A row a host in the order of the file, failures last."""
    table = Table(box=None, pad_edge=False)
    for column in ("host", "seconds", "result"):
        table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
    for each in sorted(results, key=lambda each: bool(each.reason)):
        table.add_row(Text(plain(each.host)), f"{each.took:.2f}", _result(each))
    console.print(table)


def print_gathered(console: Console, results: Sequence[Result]) -> None:
    """Every output once, under the hosts that printed it; those of most hosts first, failures last."""
    groups: dict[tuple[bool, str], list[str]] = {}
    for each in results:
        groups.setdefault((bool(each.reason), _said(each)), []).append(each.host)
    for (failed, said), hosts in sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1]), group[0][1])):
        console.print(Text(RULE))
        console.print(Text(f"{plain(folded(hosts))} ({len(hosts)})", "bold red" if failed else "bold"))
        console.print(Text(RULE))
        console.print(Text("\n".join(plain(line) for line in said.splitlines())))


def summary(results: Sequence[Result], seconds: float) -> str:
    """How it went, in one line."""
    reasons = Counter(each.reason for each in results if each.reason)
    failed = reasons.total()
    told = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
    return (
        f"{count(len(results), 'host')} in {seconds:.1f} s: {len(results) - failed} ok, {failed} failed"
        + (f" ({told})" if told else "")
    )  # fmt: skip


def hint(results: Sequence[Result], accepted: bool) -> str:
    """What may help hosts that failed, in one line; "" for nothing. `accepted`: new keys were believed."""
    if accepted or all(each.reason != "host_key" for each in results):
        return ""
    return "host_key: --accept-new believes hosts that are not known yet, but no key that is another than the known one"


def _result(each: Result) -> Text:
    if each.reason:
        return Text(f"{each.reason}: {plain(each.error)}"[:LONGEST], "red")
    if each.seconds is None:
        return Text("\n".join(plain(line) for line in each.output.splitlines()))
    return Text(printed(each.seconds), "green")


def _said(each: Result) -> str:
    """What hosts are alike in."""
    output = each.output.rstrip("\n")
    if each.reason:
        return "\n".join(part for part in (output, f"{each.reason}: {each.error}") if part)
    return output if each.seconds is None else printed(each.seconds)
