"""The options of `monitor436 report`: how each is read, and what is said about one that makes no sense."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from monitor436.agent.plan import seconds
from monitor436.cli.lines import plain
from monitor436.cli.option_sets import adding
from monitor436.cli.reporting.files import read_report
from monitor436.model.fleet.inventory import PATTERN, pattern_problem
from monitor436.model.fleet.report import Report
from monitor436.model.fleet.statuses import Wanted, read_wanted

MOST_FOLLOWED = 20  # redirects
LONGEST = 3600.0  # seconds of a time-out


HOW = ("timeout", "at_once", "retries", "follow", "headers", "ca", "cert", "key", "insecure")
"""Words that say how a target is asked."""


class Options(NamedTuple):
    """What was said on the command line but for HOW. `inventory` is what the file is called and what is in it."""

    inventory: tuple[str, bytes]
    folder: Path | None
    qos: float
    verbose: bool
    usual: bool
    pattern: str
    by: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    last: Report | None
    as_json: bool
    as_csv: bool
    as_html: bool


class Timeout(click.ParamType):  # type: ignore[type-arg]
    """Seconds as a number, or a duration such as "500ms"."""

    name = "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        try:
            found = float(value) if re.fullmatch(r"[0-9.]+", str(value)) else seconds(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, context)
        if not 0 < found <= LONGEST:
            self.fail(f"expected more than 0 and at most {LONGEST:g} seconds", param, context)
        return found


class Header(click.ParamType):  # type: ignore[type-arg]
    """ "Name: value", or @FILE with one a line."""

    name = "HEADER"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> list[tuple[str, str]]:
        lines = [value]
        if value.startswith("@"):
            try:
                lines = [line for line in Path(value[1:]).read_text("utf-8").splitlines() if line.strip()]
            except (OSError, UnicodeDecodeError) as problem:
                self.fail(f"{value[1:]}: {getattr(problem, 'strerror', None) or 'is not UTF-8'}", param, context)
        found = []
        for line in lines:
            name, colon, text = line.partition(":")
            if not colon:
                self.fail('expected "Name: value", or @FILE with one a line', param, context)
            found.append((name.strip(), text.strip()))
        return found


def _read(context: click.Context, param: click.Parameter, value: str) -> tuple[str, bytes]:
    """What the file is called, and what is in it."""
    try:
        with click.open_file(value, "rb") as file:
            return ("standard input" if value == "-" else value), file.read()
    except OSError as problem:
        raise click.BadParameter(f"{value}: {problem.strerror}") from None


def _percent(context: click.Context, param: click.Parameter, value: float) -> float:
    if not 0 < value <= 100:
        raise click.BadParameter(f"expected more than 0 and at most 100 percent, got {value:g}")
    return value


def _url(context: click.Context, param: click.Parameter, value: str) -> str:
    problem = pattern_problem(value)
    if problem:
        raise click.BadParameter(problem)
    return value


def _wanted(context: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[Wanted, ...]:
    try:
        return tuple(dict.fromkeys(wanted for text in value for wanted in read_wanted(text)))
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


def _by(context: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    fields = tuple(dict.fromkeys(field.strip() for text in value for field in text.split(",")))
    if "" in fields:
        raise click.BadParameter('expected fields such as "Application,Version"')
    return fields


def _last(context: click.Context, param: click.Parameter, value: str | None) -> Report | None:
    try:
        return read_report(value) if value else None
    except ValueError as wrong:
        raise click.BadParameter(plain(str(wrong))) from None


def _folder(context: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    if not value:
        return None
    folder = Path(value)
    place = folder if folder.exists() else folder.absolute().parent  # it is made when there is something to write
    if not place.exists():
        raise click.BadParameter(f"{place} does not exist")
    if not os.access(place, os.W_OK | os.X_OK):
        raise click.BadParameter(f"nobody may write there as this user: {place}")
    return folder


FILE = click.Path(exists=True, dir_okay=False)
ASKING: list[Callable[[Any], Any]] = [
    click.option("-t", "--timeout", type=Timeout(), default="1", show_default=True,
                 help="For a whole exchange, attempts and all: 1, 0.5 or 500ms."),
    click.option("-r", "--retries", type=click.IntRange(max=100), default=3, show_default=True, metavar="N",
                 help="Attempts after one that failed before its time was over."),
    click.option("--follow", type=click.IntRange(0, MOST_FOLLOWED), default=0, show_default=True, metavar="N",
                 help="Redirects that are followed, within the time; never to this machine."),
    click.option("--header", "headers", type=Header(), multiple=True,
                 help='"Name: value" to send, or @FILE with one a line; may be repeated.'),
    click.option("--ca", type=FILE, metavar="FILE", help="Trust these certificates (PEM), not the system's."),
    click.option("--cert", type=FILE, metavar="FILE", help="A certificate of our own to show (PEM)."),
    click.option("--key", type=FILE, metavar="FILE", help="Its key, if that is in another file."),
    click.option("--insecure", is_flag=True, help="Believe whoever answers, whatever its certificate."),
]  # fmt: skip
OPTIONS: list[Callable[[Any], Any]] = [
    click.option("-i", "--inventory", "--inventory_file", "inventory", required=True, metavar="FILE",
                 callback=_read, type=click.Path(exists=True, dir_okay=False, allow_dash=True),
                 help="One host, host:port or URL a line; - for standard input."),
    click.option("-o", "--output", "--output_dir", "folder", metavar="DIR", callback=_folder,
                 type=click.Path(file_okay=False),
                 help="Where files go, made if need be; by default the system's folder for temporary ones."),
    click.option("-q", "--qos", "qos", type=float, default=99.0, show_default=True, metavar="PERCENT",
                 callback=_percent, help="The gate: so many have to answer, or the report is refused."),
    click.option("-v", "--verbose", is_flag=True, help="Show every failure."),
    click.option("-s", "--aggr_success_rate", "usual", is_flag=True,
                 help="Success by application and version: what is done anyway."),
    click.option("--url", "pattern", default=PATTERN, show_default=True, metavar="PATTERN", callback=_url,
                 help="What to ask of a host that is not listed with a URL."),
    click.option("-f", "--at-once", "--threads", "at_once", type=click.IntRange(1, 100_000), metavar="N",
                 default=10_000, show_default=True, help="How many are asked at a time."),
    *ASKING,
    click.option("--group-by", "by", multiple=True, metavar="FIELDS", callback=_by,
                 help="Other fields than Application,Version; the last is compared."),
    click.option("--aggregate", "wanted", multiple=True, metavar="FIELD:HOW", callback=_wanted,
                 help="Other columns than sums of counts: sum, mean, min, max, p99; may be repeated."),
    click.option("--against", "last", metavar="FILE", callback=_last,
                 help="Tell what is different from a report that --json printed."),
    click.option("--json", "as_json", is_flag=True, help="For scripts: the whole report, which --against reads."),
    click.option("--csv", "as_csv", is_flag=True, help="Print the sums as CSV, in place of the table."),
    click.option("--html", "as_html", is_flag=True, help="Also write one HTML page with charts."),
]  # fmt: skip


with_asking = adding(ASKING)
with_options = adding(OPTIONS)
