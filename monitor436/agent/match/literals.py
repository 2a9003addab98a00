"""The texts without which a pattern matches nothing, so that most lines need not be shown to it."""

from collections.abc import Callable

try:
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # Python 3.10 and older
    import sre_parse as parser

MOST = 16  # texts in one set: every one of them is a search through the log
LONGEST = 64  # bytes: a longer text is no rarer
CLASS = 4  # characters of a [class] that are worth a text each
TIMES = 8  # of a repeated part; more repetitions say no more
PLACES, RARER = 100, 8.0  # in a line, a text may stand; and each byte more makes it so many times as rare (a guess)
SHOWN = 14  # searches of a line for a text, measured, that cost what showing it to a pattern does
IGNORECASE, LOCALE = 2, 4  # flags of re, as the parser has them: plain numbers

EMPTY = (b"", False)


def required(pattern: str) -> "tuple[tuple[bytes, bool], ...]":
    """Texts of which every line that the pattern matches contains at least one; () if none are known.

    Each is (bytes, folded): a folded one is in lower case, and is to be looked for in a line in lower case, ASCII
    letters only, as re does for bytes. The longest come first. The pattern is taken as bytes, in UTF-8; raises what
    re.compile raises.
    """
    found = choices(pattern)
    return found[0] if found else ()


def choices(pattern: str) -> "list[tuple[tuple[bytes, bool], ...]]":
    """Every such set that was found, the one that promises to cost least first."""
    tree = parser.parse(pattern.encode("utf-8"))
    state = tree.state if hasattr(tree, "state") else tree.pattern  # its name before 3.8
    if state.flags & LOCALE:
        return []  # then case is what the host's locale says
    try:
        return _walked(tree, bool(state.flags & IGNORECASE)).finished()
    except RecursionError:  # groups in groups, deeper than anybody writes them
        return []


class _Walk:
    """Reads a parsed pattern from left to right.

    `run` holds what may stand right before the next part, in all its forms; `tail` the end of it that all forms share.
    A run that cannot be continued is a set. `exact`: the run is all that the parts so far can match.
    """

    def __init__(self) -> None:
        self.run = [EMPTY]
        self.tail = EMPTY
        self.exact = True
        self.sets = []  # type: list[tuple[tuple[bytes, bool], ...]]

    def walk(self, tree: "object", folded: bool) -> None:
        """Read on. What a part is not known for ends the run."""
        for op, value in tree:  # type: ignore[attr-defined]
            step = _STEPS.get(str(op))
            if step:
                step(self, value, folded)
            else:
                self.stop()

    def finished(self) -> "list[tuple[tuple[bytes, bool], ...]]":
        """All sets, the best first."""
        self.close()
        return sorted(set(self.sets), key=_cost)

    def add(self, texts: "list[tuple[bytes, bool]]") -> None:
        """One of these texts follows."""
        if len(texts) > 1:
            self.close()
        run = {_join(before, text) for before in self.run for text in texts}
        if len(run) > MOST or max(len(text) for text, _ in run) > LONGEST:
            self.go_on_from(texts)
        else:
            self.run = list(run)
            self.tail = _join(self.tail, texts[0]) if len(texts) == 1 else EMPTY

    def go_on_from(self, texts: "list[tuple[bytes, bool]]") -> None:
        """The run is over; the next one begins with one of these texts."""
        self.stop()
        if len(texts) <= MOST:
            self.run = texts
            self.tail = texts[0] if len(texts) == 1 else EMPTY

    def stop(self) -> None:
        """The run is over."""
        self.close()
        self.run, self.tail, self.exact = [EMPTY], EMPTY, False

    def close(self) -> None:
        """The run as it is so far makes a set, and so does its tail."""
        for texts in (self.run, [self.tail]):
            texts = [(text, folded and text.upper() != text) for text, folded in texts]
            texts = [one for one in texts if not any(_within(other, one) for other in texts)]
            if all(text for text, _ in texts):
                self.sets.append(tuple(sorted(texts, key=lambda one: (-len(one[0]), one))))

    def literal(self, code: int, folded: bool) -> None:
        """One byte."""
        self.add([_byte(code, folded)])

    def one_of(self, items: "list[tuple[object, object]]", folded: bool) -> None:
        """A [class]."""
        codes = set()  # type: set[int]
        for op, value in items:
            if str(op) == "LITERAL":
                codes.add(value)  # type: ignore[arg-type]
            elif str(op) == "RANGE":
                codes.update(range(value[0], value[1] + 1))  # type: ignore[index]
            else:
                return self.stop()
        either_case = {_byte(code, True) for code in codes}
        texts = either_case if len(either_case) == 1 else {_byte(code, folded) for code in codes}  # [Ee] is folded too
        return self.add(list(texts)) if len(texts) <= CLASS else self.stop()

    def group(self, value: "tuple[object, int, int, object]", folded: bool) -> None:
        """A group, perhaps with flags of its own."""
        _, on, off, tree = value
        if on & LOCALE:
            self.stop()
        else:
            self.walk(tree, (folded or bool(on & IGNORECASE)) and not off & IGNORECASE)

    def look(self, value: "tuple[int, object]", folded: bool) -> None:
        """A lookahead or lookbehind: takes no place, and yet what it finds is in the line."""
        self.sets += _walked(value[1], folded).finished()

    def branch(self, value: "tuple[None, list[object]]", folded: bool) -> None:
        """Alternatives: one text for each at least."""
        walks = [_walked(tree, folded) for tree in value[1]]
        if all(one.exact for one in walks):
            texts = {text for one in walks for text in one.run}
            return self.add(list(texts)) if len(texts) <= MOST else self.stop()
        self.stop()
        best = [one.finished() for one in walks]
        if all(best):
            texts = {text for sets in best for text in sets[0]}
            if len(texts) <= MOST:
                self.run = list(texts)
                self.stop()
        return None

    def repeat(self, value: "tuple[int, int, object]", folded: bool) -> None:
        """A part that stands there a number of times."""
        least, most, tree = value
        part = _walked(tree, folded)
        if not part.exact or (least == 0 and most > 1):
            self.stop()
            self.sets += part.finished() if least else []
            return None
        if least == 0:
            return self.add(list({EMPTY, *part.run}))
        times = _Walk()
        for _ in range(min(least, TIMES)):
            times.add(part.run)
        self.add(times.run)  # the first few; the last few have the same forms, and the next part follows them
        return None if times.exact and most == min(least, TIMES) else self.go_on_from(times.run)

    def nothing(self, *_: object) -> None:
        """A part that takes no place: the run goes on."""


_STEPS: "dict[str, Callable[..., None]]" = {
    "LITERAL": _Walk.literal,
    "IN": _Walk.one_of,
    "SUBPATTERN": _Walk.group,
    "ATOMIC_GROUP": _Walk.walk,
    "BRANCH": _Walk.branch,
    "MAX_REPEAT": _Walk.repeat,
    "MIN_REPEAT": _Walk.repeat,
    "POSSESSIVE_REPEAT": _Walk.repeat,
    "ASSERT": _Walk.look,
    "ASSERT_NOT": _Walk.nothing,
    "AT": _Walk.nothing,
}


def _walked(tree: object, folded: bool) -> _Walk:
    """A part of a pattern, for itself."""
    part = _Walk()
    part.walk(tree, folded)
    return part


def _byte(code: int, folded: bool) -> "tuple[bytes, bool]":
    one = bytes((code,))
    return (one.lower(), one.swapcase() != one) if folded else (one, False)


def _join(before: "tuple[bytes, bool]", after: "tuple[bytes, bool]") -> "tuple[bytes, bool]":
    """One text behind the other: folded if one of them is."""
    text, folded = before[0] + after[0], before[1] or after[1]
    return (text.lower() if folded else text), folded


def _within(one: "tuple[bytes, bool]", other: "tuple[bytes, bool]") -> bool:
    """Whether a line that contains `other` contains `one` anyway, and they are two."""
    if one == other or (other[1] and not one[1]):
        return False
    return one[0] in (other[0].lower() if one[1] else other[0])


def _cost(texts: "tuple[tuple[bytes, bool], ...]") -> "tuple[float, int, int, object]":
    """What a set costs: searches for its texts, and lines that contain one by chance. None folded if it can be."""
    shortest = min(len(text) for text, _ in texts)
    chance = min(1.0, PLACES * sum(RARER ** -len(text) for text, _ in texts))
    return len(texts) + SHOWN * chance, -shortest, sum(folded for _, folded in texts), texts
