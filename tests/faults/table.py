"""What a run of the rig comes to, as docs/reliability.md shows it."""

from collections import Counter

from tests.faults.judgement import Judgement

FRAMES = "frames lost, doubled, late"
HEADS = ("seed", "seconds", "faults", FRAMES, "lines", "on both servers", "missing", "doubled")


def table(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """Markdown."""
    lines = [heads, tuple("---" if place == 0 else "---:" for place in range(len(heads))), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def run_row(seed: int, seconds: float, faults: int, frames: dict[str, int], found: Judgement) -> tuple[object, ...]:
    """One run."""
    missing = len(found.missing)
    doubled = len(found.doubled) + len(found.doubled_ids) + len(found.unmarked)
    harmed = ", ".join(str(frames[each]) for each in ("lost", "doubled", "late"))
    return seed, f"{seconds:g}", faults, harmed, found.lines, found.twice, missing, doubled


def kinds_table(faults: Counter[str]) -> str:
    """What went wrong, by kind."""
    return table(("fault", "times"), sorted(faults.items()))
