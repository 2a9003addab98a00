"""A report as people read it on a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor436.cli.lines import plain
from monitor436.model.fleet.gate import OK
from monitor436.model.fleet.report import Failure, Group, Rate, Report
from monitor436.model.fleet.since import Moved, Since
from monitor436.model.fleet.statuses import Number
from monitor436.model.fleet.versions import BETTER, WORSE, Versus
from monitor436.model.words import count, span

WIDEST = 1000  # columns of a table
LONGEST = 60  # columns of a text in one
SHOWN = 10  # failures, unless all are asked for
STYLES = {WORSE: "bold red", BETTER: "green"}


def percent(value: float) -> str:
    """A percentage in four digits behind the point at most; 100 and 0 are only what is exactly that."""
    shown = f"{value:.4f}".rstrip("0").rstrip(".")
    if shown in ("0", "100") and value not in (0, 100):
        return "<0.0001" if shown == "0" else ">99.9999"
    return shown


def interval(rate: Rate) -> str:
    """The interval of a rate in a table."""
    return f"{rate.low:.2f}–{rate.high:.2f}"


def number(value: Number) -> str:
    """A number as a table shows it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def print_report(console: Console, report: Report, every: bool) -> None:
    """Status and quality first, then the table, then failures: all of them if `every`."""
    style = "bold green" if report.status == OK else "bold red"
    console.print(Text("Status: ") + Text(report.status, style))
    for line in quality(report):
        console.print(Text(line))
    if report.groups:
        console.print()
        _print_whole(console, _table(report))
        _print_compared(console, [(group.by, group.versus) for group in report.groups])
    if report.failures:
        console.print()
        console.print(Text("  ".join(f"{reason} {number}" for reason, number in report.reasons.items()), "bold"))
        console.print(_failures(report.failures if every else report.failures[:SHOWN]))
        if not every and len(report.failures) > SHOWN:
            console.print(Text(f"and {len(report.failures) - SHOWN:,} more: -v shows all", "dim"))


def quality(report: Report) -> Iterator[str]:
    """The lines that scripts look for, and after them the interval."""
    yield f"Total # of queries: {report.answered.of}"
    yield f"Successful queries: {report.answered.well}"
    yield f"Expected QoS:       {percent(report.expected)}%"
    yield f"Actual QoS:         {percent(report.answered.percent)}%"
    yield f"95 % interval:      {report.answered.low:.2f}% to {report.answered.high:.2f}%"


def print_since(console: Console, since: Since) -> None:
    """What is different from the last report."""
    console.print()
    console.print(Text(f"Since the last report, {span(since.seconds)} before: {since.points:+.4g} points QoS", "bold"))
    for what, hosts in (("failing now", since.failing), ("answering again", since.again)):
        if hosts:
            more = f" and {len(hosts) - SHOWN:,} more" if len(hosts) > SHOWN else ""
            console.print(Text(f"{what}: {plain(', '.join(hosts[:SHOWN]))}{more}"))
    if not since.alike:
        console.print(Text("no sums to compare: a report was refused, or they are grouped by other fields", "dim"))
    for what, groups in (("new", since.new), ("gone", since.gone)):
        for by in groups:
            console.print(Text(f"{what}: {plain(' '.join(by.values()))}"))
    if since.moved:
        _print_whole(console, _moved(since.moved))
        _print_compared(console, [(moved.by, moved.versus) for moved in since.moved])


def _table(report: Report) -> Table:
    table = _head([*report.by], [*report.columns, "Hosts", "Success rate", "95 % interval"])
    for group in report.groups:
        table.add_row(*_cells(group))
    return table


def _cells(group: Group) -> Iterator[Text]:
    yield from (Text(plain(text)) for text in group.by.values())
    yield from (Text(number(value)) for value in group.columns.values())
    yield Text(number(group.hosts))
    yield Text(f"{percent(group.rate.percent)}%" if group.rate else "-")
    yield Text(interval(group.rate) if group.rate else "-")


def _print_whole(console: Console, table: Table) -> None:
    """A table whose numbers are never cut: on a narrow terminal its lines go on in the next one."""
    wide = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
    width = console.width
    console.width = max(width, wide)
    console.print(table)
    console.width = width


def _print_compared(console: Console, groups: Sequence[tuple[dict[str, str], Versus | None]]) -> None:
    for by, versus in groups:
        if versus:
            said = Text(plain(str(versus)), STYLES.get(versus.verdict, "dim"))
            console.print(Text(plain(" ".join(by.values())) + ": ") + said)


def _failures(failures: list[Failure]) -> Table:
    table = _head(["Host", "Reason"], ["Seconds"])
    table.add_column("Why")
    for each in failures:
        table.add_row(Text(plain(each.host)), Text(each.reason), Text(f"{each.seconds:.3f}"), Text(plain(each.text)))
    return table


def _moved(moved: list[Moved]) -> Table:
    table = _head([*moved[0].by], ["Hosts", *moved[0].columns])
    for each in moved:
        changes = [
            Text(f"{value:+,}" if isinstance(value, int) else f"{value:+,.6g}") for value in each.columns.values()
        ]
        groups = [Text(plain(text)) for text in each.by.values()]
        table.add_row(*groups, Text(f"{each.hosts:+,}"), *changes)
    return table


def _head(texts: list[str], numbers: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in texts:
        table.add_column(Text(plain(name)), overflow="fold", max_width=LONGEST)
    for name in numbers:
        table.add_column(Text(plain(name)), justify="right", no_wrap=True)
    return table


def summary(report: Report) -> str:
    """The whole in one line."""
    failed = report.answered.of - report.answered.well
    return f"{report.status}: {count(report.answered.of, 'host')}, {failed:,} failed, {report.seconds:.1f} s"
