"""The charts of a report, as SVG that needs no script and takes its colours from the page."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from monitor436.cli.lines import plain
from monitor436.model.fleet.report import BOUNDS, Group, Rate

WIDTH = 720  # units of every chart; the page scales it
LEFT, RIGHT = 200, 90  # of it, for names and for numbers
ROW = 26
MOST_ROWS = 60  # of a chart: a longer one is no picture any more, and the table has all of them
LONGEST = 28  # characters of a name beside a chart


class Bar(NamedTuple):
    """One row: its name, how long it is, what stands at its end."""

    name: str
    value: float
    said: str


def safe(text: str) -> str:
    """Text of strangers, for HTML and for attributes in double quotes."""
    return escape(plain(text))


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars that begin at 0; the longest takes all the room there is."""
    most = max((row.value for row in rows), default=0.0) or 1.0
    room = WIDTH - LEFT - RIGHT
    drawn = []
    for at, row in enumerate(rows[:MOST_ROWS]):
        y, long = at * ROW, row.value / most * room
        drawn.append(_name(row.name, y))
        drawn.append(f'<rect class="bar" x="{LEFT}" y="{y + 5}" width="{long:.1f}" height="{ROW - 10}" rx="3"/>')
        drawn.append(f'<text class="said" x="{LEFT + long + 8:.1f}" y="{y + 18}">{safe(row.said)}</text>')
    return _chart(title, len(rows[:MOST_ROWS]) * ROW + 4, drawn)


def gate(answered: Rate, expected: float) -> str:
    """How much of the fleet answered, the interval around it, and the gate."""
    room = WIDTH - 2
    done = f'<rect class="bar" x="1" y="8" width="{answered.percent / 100 * room:.1f}" height="24" rx="3"/>'
    at = 1 + expected / 100 * room
    anchor = "end" if expected > 50 else "start"
    drawn = [f'<rect class="track" x="1" y="8" width="{room}" height="24" rx="3"/>', done]
    drawn.append(f'<line class="gate" x1="{at:.1f}" x2="{at:.1f}" y1="2" y2="38"/>')
    drawn.append(f'<text class="said" x="{at:.1f}" y="54" text-anchor="{anchor}">gate {expected:g} %</text>')
    said = f"{answered.percent:.4g} % answered, between {answered.low:.4g} and {answered.high:.4g}; gate {expected:g} %"
    return _chart(said, 60, drawn)


def rates(title: str, groups: Sequence[Group]) -> str:
    """The success rate of each group as a dot in its interval. The axis begins where the lowest interval does."""
    rated = [(group, group.rate) for group in groups if group.rate][:MOST_ROWS]
    if not rated:
        return ""
    low = min(rate.low for _, rate in rated)
    low = low - (100 - low) * 0.05 if low < 100 else 99.0
    low = max(0.0, low)
    room = WIDTH - LEFT - RIGHT

    def x(percent: float) -> float:
        return LEFT + (percent - low) / (100 - low) * room

    height = len(rated) * ROW
    drawn = list(_axis(low, height, x(low), x(100.0)))
    for at, (group, rate) in enumerate(rated):
        y = at * ROW + ROW / 2
        drawn.append(_name(" ".join(group.by.values()), at * ROW))
        drawn.append(f'<line class="range" x1="{x(rate.low):.1f}" x2="{x(rate.high):.1f}" y1="{y}" y2="{y}"/>')
        kind = f"dot {group.versus.verdict.split()[0]}" if group.versus else "dot"
        said = f"<title>{safe(str(group.versus or ''))}</title>"
        drawn.append(f'<circle class="{kind}" cx="{x(rate.percent):.1f}" cy="{y}" r="5">{said}</circle>')
        drawn.append(f'<text class="said" x="{x(100) + 10:.1f}" y="{y + 4}">{rate.percent:.2f} %</text>')
    return _chart(title, height + 24, drawn)


def times(title: str, counts: Sequence[int]) -> str:
    """How many answers took how long: columns as `BOUNDS` part them."""
    most, tall, wide = max(counts, default=0) or 1, 120, WIDTH / max(1, len(counts))
    names = [*map(_span, BOUNDS), "longer"]
    drawn = []
    for at, (count, name) in enumerate(zip(counts, names, strict=True)):
        high, x = count / most * tall, at * wide
        y = 18 + tall - high
        drawn.append(f'<rect class="bar" x="{x + 4:.1f}" y="{y:.1f}" width="{wide - 8:.1f}" height="{high:.1f}"/>')
        middle = f'x="{x + wide / 2:.1f}" text-anchor="middle"'
        drawn.append(f'<text class="small" {middle} y="{tall + 34}">{name}</text>')
        if count:
            drawn.append(f'<text class="small" {middle} y="{y - 4:.1f}">{count:,}</text>')
    return _chart(title, tall + 42, drawn)


def _axis(low: float, height: float, left: float, right: float) -> Iterator[str]:
    for share in (0.0, 0.5, 1.0):
        at = left + share * (right - left)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height}"/>'
        said = f"{low + share * (100 - low):.4g} %"
        yield f'<text class="small" x="{at:.1f}" y="{height + 16}" text-anchor="middle">{said}</text>'


def _name(text: str, y: float) -> str:
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    shown = f"{safe(cut)}<title>{safe(text)}</title>"
    return f'<text class="name" x="{LEFT - 10}" y="{y + 18}" text-anchor="end">{shown}</text>'


def _span(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def _chart(title: str, height: float, drawn: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{safe(title)}">'
    return "".join([head, f"<title>{safe(title)}</title>", *drawn, "</svg>"])
