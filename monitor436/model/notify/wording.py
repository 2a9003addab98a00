"""A notification in words: one line, several lines, values for a template; nothing in it moves a cursor."""

from collections import Counter
from collections.abc import Iterable

from monitor436.model.event import Severity
from monitor436.model.notify.notice import Item, Notice, What
from monitor436.model.status.change import RANKS
from monitor436.model.words import count, span

SHOWN = 3  # subjects in one line
BEHIND = 20  # names of hosts behind one, in a text
MOST_LINE = 160  # characters of the one line
HEADS = {
    "alarm": "ALARM",
    "recovery": "well again",
    "reminder": "still bad",
    "flapping": "flapping",
    "happened": "happened",
    "test": "test",
}


def plain(text: str) -> str:
    """Text in which whatever is not printable is spelt out: controls, ends of lines, marks of direction."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def worst(items: Iterable[Item]) -> Severity:
    """The severity of the worst of them."""
    return max((item.severity for item in items), key=RANKS.__getitem__, default="info")


def headline(notice: Notice) -> str:
    """What it comes to, in one short line."""
    if len(notice.items) == 1:
        item = notice.items[0]
        head = HEADS[item.what] if item.what != "alarm" else item.severity
        line = f"{head}: {item.subject}: {item.text}" if str(item.subject) not in item.text else f"{head}: {item.text}"
    else:
        counts = Counter(item.what for item in notice.items)
        nouns: dict[What, str] = {
            "alarm": "alarm",
            "recovery": "recovery",
            "reminder": "reminder",
            "flapping": "flapping",
            "happened": "message",
        }
        plurals: dict[What, str] = {"recovery": "recoveries", "flapping": "flapping"}
        parts = [count(counts[what], noun, plurals.get(what, "")) for what, noun in nouns.items() if counts[what]]
        line = f"{', '.join(parts)}: {_names(notice.items)}"
    line = plain(line)
    return line if len(line) <= MOST_LINE else line[: MOST_LINE - 1] + "…"


def lines(notice: Notice, at: str) -> list[str]:
    """Everything, the worst first, a line for each item; `at` is the time as people of that place read it."""
    ordered = sorted(notice.items, key=lambda item: (item.what == "recovery", -RANKS[item.severity]))
    told = [line for item in ordered for line in item_lines(item)]
    return [*told, "", f"{at}, monitor436 on {plain(notice.server)}, {notice.key}"]


def item_lines(item: Item) -> list[str]:
    """One item: a line, and another for what stands behind it."""
    more = ""
    if item.what in ("recovery", "reminder") and item.at > item.since > 0:
        more = f" (after {span(item.at - item.since)})" if item.what == "recovery" else ""
    if item.times > 1:
        more = f" ({item.times} times in {span(item.at - item.since)})"
    found = [plain(f"{HEADS[item.what]:10}  {item.severity:8}  {item.subject}: {item.text}{more}")]
    if item.behind:
        names = ", ".join(item.behind[:BEHIND]) + (", …" if len(item.behind) > BEHIND else "")
        found.append(plain(f"{'':22}{count(len(item.behind), 'host')} behind it: {names}"))
    return found


def values(notice: Notice, at: str) -> dict[str, object]:
    """What a template can name."""
    counts = Counter(item.what for item in notice.items)
    hosts = sorted({item.host for item in notice.items if item.host})
    return {
        "key": notice.key,
        "server": notice.server,
        "time": at,
        "at": notice.at,
        "severity": worst(notice.items),
        "subject": headline(notice),
        "text": "\n".join(lines(notice, at)),
        "hosts": hosts,
        "alarms": counts["alarm"] + counts["flapping"],
        "recoveries": counts["recovery"],
        "items": [document(item) for item in notice.items],
    }


def document(item: Item) -> dict[str, object]:
    """An item as JSON."""
    return {
        "what": item.what,
        "severity": item.severity,
        "host": item.host,
        "check": item.check,
        "of": item.of.lstrip(":"),
        "text": plain(item.text),
        "since": item.since or item.at,
        "at": item.at,
        "times": item.times,
        "behind": list(item.behind),
        "tags": list(item.tags),
        "event": item.event,
    }


def _names(items: Iterable[Item]) -> str:
    names = list(dict.fromkeys(str(item.subject) for item in items))
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
