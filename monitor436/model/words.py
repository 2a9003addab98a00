"""How people read durations, counts and sizes."""


def span(seconds: float) -> str:
    """A duration in its two largest units: "4s", "5m 13s", "2h 5m", "3d 4h"."""
    whole = max(0, int(seconds))
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{value}{unit}" for value, unit in parts[:2] if value) or "0s"


def count(number: int, noun: str, nouns: str = "") -> str:
    """A number with its noun: "1 host", "2 hosts"."""
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


def size(count: float) -> str:
    """A number of bytes in three digits: "26.1 GiB", "512 MiB", "4 KiB", "12 B"."""
    for unit, worth in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= worth:
            shown = count / worth
            return f"{shown:.0f} {unit}" if shown >= 100 else f"{shown:.3g} {unit}"
    return f"{count:.0f} B"
