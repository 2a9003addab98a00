"""A report as one HTML page that needs nothing else: no script, no font, no network; dark or light as its reader is."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from monitor436.cli.reporting import charts
from monitor436.cli.reporting.charts import Bar, safe
from monitor436.cli.reporting.text import interval, number, percent
from monitor436.model.fleet.gate import OK
from monitor436.model.fleet.report import Group, Report
from monitor436.model.fleet.since import Since
from monitor436.model.fleet.versions import Versus
from monitor436.model.words import count, span

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # whatever a status page says, nothing is fetched or run
STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1a1d21; --dim: #5b636d; --line: #d5dae0; --bar: #2f6fb7;
  --track: #e6eaef; --good: #1a7f37; --bad: #c0271d; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e6e9ec; --dim: #9aa4af; --line: #343b43;
  --bar: #5b9bdf; --track: #262c33; --good: #4cc26a; --bad: #ff7b72; --card: #1c2126; } }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
@media (max-width: 40rem) { body { padding: 1rem; } }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.dim { color: var(--dim); } .OK { color: var(--good); } .FAILED, .worse { color: var(--bad); font-weight: 600; }
.better { color: var(--good); font-weight: 600; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .5rem 1rem; }
dt { color: var(--dim); font-size: .85rem; } dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 600; overflow-wrap: normal; } .n { text-align: right; white-space: nowrap; }
svg { display: block; width: 100%; height: auto; } .wide svg { min-width: 38rem; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
svg .small { fill: var(--dim); font-size: 11px; } svg .said { fill: var(--dim); }
.bar { fill: var(--bar); } .track { fill: var(--track); } .grid { stroke: var(--line); }
.gate { stroke: var(--text); stroke-width: 2; } .range { stroke: var(--bar); stroke-width: 4; opacity: .45; }
.dot { fill: var(--bar); } .dot.worse { fill: var(--bad); } .dot.better { fill: var(--good); }
"""

Cell = tuple[str, str]  # a class of the style, "" for none, and HTML


def page(report: Report, since: Since | None) -> str:
    """The whole page."""
    when = datetime.fromtimestamp(report.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{report.status}: fleet report of {when}</title><style>{STYLE}</style></head><body>",
        f'<h1>Fleet report: <span class="{report.status}">{report.status}</span></h1>',
        f'<p class="dim">{when}, asked in {report.seconds:.1f} s</p>',
        *_numbers(report),
        f"<h2>Answered</h2>{charts.gate(report.answered, report.expected)}",
        *_refused(report),
        *_since(since),
        *_groups(report),
        *_failures(report),
        "<h2>How long answers took</h2>",
        _drawn(charts.times("Answers, by the time each took at most", report.times)),
        *_twice(report),
        '<p class="dim">Intervals are Wilson’s, 95 %. Versions are compared by a two-proportion z-test, raised for the '
        "number of comparisons (Holm).</p></body></html>\n",
    ]
    return "".join(parts)


def _numbers(report: Report) -> Iterator[str]:
    answered = report.answered
    told = {
        "Total # of queries": f"{answered.of:,}",
        "Successful queries": f"{answered.well:,}",
        "Failed": f"{answered.of - answered.well:,}",
        "Expected QoS": f"{percent(report.expected)} %",
        "Actual QoS": f"{percent(answered.percent)} %",
        "95 % interval": f"{interval(answered)} %",
    }
    yield "<dl>"
    yield from (f"<div><dt>{what}</dt><dd>{safe(much)}</dd></div>" for what, much in told.items())
    yield "</dl>"


def _refused(report: Report) -> Iterator[str]:
    if report.status != OK:
        yield '<p class="FAILED">Too few answered: there are no sums, they would be those of another fleet.</p>'


def _groups(report: Report) -> Iterator[str]:
    if not report.groups:
        return
    yield f"<h2>Success by {safe(' and '.join(report.by))}</h2>"
    yield _drawn(charts.rates("Success rate of each group with its interval", report.groups))
    left = len([group for group in report.groups if group.rate]) - charts.MOST_ROWS
    if left > 0:
        yield f'<p class="dim">The chart shows the first {charts.MOST_ROWS}; {left:,} more are in the table.</p>'
    numbers = [*report.columns, "Hosts", "Success rate", "95 % interval"]
    head = [*(("", safe(name)) for name in report.by), *(("n", safe(name)) for name in numbers), ("", "Compared")]
    yield from _table(head, (_row(group) for group in report.groups))


def _row(group: Group) -> list[Cell]:
    texts = [("", safe(text)) for text in group.by.values()]
    numbers = [*map(number, group.columns.values()), number(group.hosts)]
    rate = [f"{percent(group.rate.percent)} %", interval(group.rate)] if group.rate else ["-", "-"]
    return [*texts, *(("n", safe(each)) for each in [*numbers, *rate]), _versus(group.versus)]


def _versus(versus: Versus | None) -> Cell:
    return ("dim" if " " in versus.verdict else versus.verdict, safe(str(versus))) if versus else ("", "")


def _failures(report: Report) -> Iterator[str]:
    if not report.failures:
        return
    yield f"<h2>{count(len(report.failures), 'failure')}</h2>"
    counted = [Bar(name, much, f"{much:,}") for name, much in report.reasons.items()]
    yield _drawn(charts.bars("Failures by class", counted))
    head = [("", "Host"), ("", "URL"), ("", "Reason"), ("n", "Seconds"), ("", "Why")]
    rows = (
        [("", safe(each.host)), ("", safe(each.url)), ("", safe(each.reason)), ("n", f"{each.seconds:.3f}"),
         ("", safe(each.text))]
        for each in report.failures
    )  # fmt: skip
    yield from _table(head, rows)


def _since(since: Since | None) -> Iterator[str]:
    if since is None:
        return
    yield f"<h2>Since the last report, {span(since.seconds)} before</h2>"
    told = [f"{since.points:+.4g} points QoS"]
    told += [f"{what}: {', '.join(who)}" for what, who in _changes(since)]
    if not since.alike:
        told.append("no sums to compare: a report was refused, or they are grouped by other fields")
    yield "<ul>" + "".join(f"<li>{safe(text)}</li>" for text in told) + "</ul>"
    if since.moved:
        numbers = ["Hosts", *since.moved[0].columns]
        head = [*(("", safe(name)) for name in since.moved[0].by), *(("n", safe(name)) for name in numbers)]
        rows = (
            [*(("", safe(text)) for text in moved.by.values()),
             *(("n", f"{value:+,.10g}") for value in (moved.hosts, *moved.columns.values())), _versus(moved.versus)]
            for moved in since.moved
        )  # fmt: skip
        yield from _table([*head, ("", "Compared")], rows)


def _changes(since: Since) -> Iterator[tuple[str, Sequence[str]]]:
    groups = [
        (what, [" ".join(by.values()) for by in each]) for what, each in (("new", since.new), ("gone", since.gone))
    ]
    for what, who in [("failing now", since.failing), ("answering again", since.again), *groups]:
        if who:
            yield what, who


def _twice(report: Report) -> Iterator[str]:
    if report.twice:
        yield f"<h2>Listed twice</h2><ul>{''.join(f'<li>{safe(text)}</li>' for text in report.twice)}</ul>"


def _drawn(chart: str) -> str:
    """A chart that is moved sideways where there is too little room to read it."""
    return f'<div class="wide">{chart}</div>' if chart else ""


def _table(head: Iterable[Cell], rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    yield '<div class="wide"><table><thead><tr>'
    yield from (f'<th scope="col"{_kind(kind)}>{text}</th>' for kind, text in head)
    yield "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td{_kind(kind)}>{text}</td>" for kind, text in row) + "</tr>"
    yield "</tbody></table></div>"


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
