"""What a sink writes: a row a host of a batch, and how many were well. Pure."""

from collections import Counter

from msgspec import DecodeError, json

from monitor436.model.sweep.remote import Result
from monitor436.model.words import count

LOST = "lost"  # the reason of a host that no worker brought home
SHOWN = 200  # characters of something strange that a sentence quotes


class Row(Result, frozen=True, omit_defaults=True, kw_only=True):
    """A result, whose batch it belongs to, and which worker found it."""

    batch: str
    worker: str


def read_row(body: bytes, batch: str, host: str, now: float) -> Row:
    """What a worker sent about this host; if that is something else, a row that says so. `now` in epoch seconds."""
    try:
        row = json.decode(body, type=Row)
    except (DecodeError, UnicodeDecodeError) as wrong:
        return Row(host, now, 0.0, reason="protocol", error=f"its worker sent no row: {wrong}", batch=batch, worker="")
    if (row.batch, row.host) != (batch, host):
        error = f"its worker sent the row of {row.host[:SHOWN]} in {row.batch[:SHOWN]}"
        return Row(host, now, 0.0, reason="protocol", error=error, batch=batch, worker=row.worker)
    return row


class Tally:
    """The rows of one batch, counted."""

    def __init__(self) -> None:
        self.rows = 0
        self.failed: Counter[str] = Counter()  # by reason

    def add(self, reason: str) -> None:
        """One more host, with the reason of its row."""
        self.rows += 1
        if reason:
            self.failed[reason] += 1

    @property
    def well(self) -> int:
        """How many said their uptime."""
        return self.rows - self.failed.total()

    def told(self, batch: str, total: int | None) -> str:
        """The end of a batch of so many hosts, None: nobody knows how many."""
        parts = [f"{self.well:,} ok", f"{self.failed.total():,} failed"]
        if self.failed:
            parts[-1] += " (" + ", ".join(f"{times:,} {why}" for why, times in self.failed.most_common()) + ")"
        parts.append("nobody knows how many are lost" if total is None else f"{max(0, total - self.rows):,} lost")
        return f"batch {batch}: {count(self.rows if total is None else total, 'host')}: {', '.join(parts)}"
