"""What a report leaves behind: files named after the time, and CSV that a spreadsheet opens without harm."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import json

from monitor436.cli.lines import plain
from monitor436.model.fleet.report import Group, Report

RATE = ("Success_Rate", "Low", "High")
MORE = ("Hosts", *RATE, "Compared")
FAILURES = ("Host", "URL", "Reason", "Seconds", "Text")
MOST = 256 << 20  # bytes of a report that is read again


def write_new(folder: Path, at: int, ending: str, text: str) -> Path:
    """Write `<at><ending>` into a folder, a millisecond later if that is taken: nothing that is there is written over.

    Raises OSError.
    """
    while True:
        path = folder / f"{at}{ending}"
        try:
            with open(path, "x", encoding="utf-8", newline="") as file:
                file.write(text)
            return path
        except FileExistsError:
            at += 1


def sums_csv(report: Report) -> str:
    """The groups: the fields by which is grouped, the columns, then hosts, success rate in percent and its interval."""
    return _csv([*report.by, *report.columns, *MORE], (_row(group) for group in report.groups))


def failures_csv(report: Report) -> str:
    """The failures, a row each."""
    rows = ([each.host, each.url, each.reason, each.seconds, each.text] for each in report.failures)
    return _csv(FAILURES, rows)


def read_report(path: str) -> Report:
    """A report as `--json` printed it. Raises ValueError with a sentence."""
    try:
        if os.path.getsize(path) > MOST:
            raise ValueError(f"has more than {MOST:,} bytes")
        return json.decode(Path(path).read_bytes(), type=Report)
    except OSError as problem:
        raise ValueError(f"{path}: {problem.strerror}") from None
    except (ValueError, RecursionError) as wrong:
        raise ValueError(f"{path} is no report that `monitor436 report --json` printed: {wrong}") from None


def _row(group: Group) -> list[object]:
    rate = [group.rate.percent, group.rate.low, group.rate.high] if group.rate else ["", "", ""]
    return [*group.by.values(), *group.columns.values(), group.hosts, *rate, str(group.versus or "")]


def _csv(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    for row in (head, *rows):
        writer.writerow([_cell(cell) for cell in row])
    return made.getvalue()


def _cell(value: object) -> object:
    """Text of strangers is no formula: spreadsheets take what begins with one of these letters for one."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
