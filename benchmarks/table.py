"""What a benchmark prints: one table, and what it was made with."""

import platform
from collections.abc import Sequence


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], versions: Sequence[str] = ()) -> None:
    """Print a Markdown table: the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    print(f"\n{title}\n")
    for number, row in enumerate(cells):
        padded = [
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("| " + " | ".join(padded) + " |")
        if not number:
            print("| " + " | ".join("-" * (w - 1) + ":" if at else "-" * w for at, w in enumerate(widths)) + " |")
    print("\n" + ", ".join((f"Python {platform.python_version()}", *versions, f"Linux {platform.release()}")))


def verdict(what: str, value: float, bound: float, at_least: bool = False) -> str:
    """Whether a figure is what it should be, in words."""
    good = value >= bound if at_least else value <= bound
    return f"{'reached' if good else 'MISSED'}: {what} {value:,.4g}, to be {'≥' if at_least else '≤'} {bound:,.4g}"
