"""Made-up patterns and lines over so few letters that they often meet."""

import random
import re

LETTERS = "abcABk 0:"
PARTS = "a b c A B k ab bc cab Bk a: 0 . [ab] [^a] [aA] [bB] [a-c] [0-9k] \\d \\w \\s \\b ^ $".split()
PARTS += "(?=b) (?=.*c) (?<=a) (?<!b) (?!c)".split()
GROUPS = "({}) (?:{}) (?i:{}) (?P<n{n}>{})".split()
REPEATS = "(?:{})? (?:{})* (?:{})+ (?:{})+? (?:{}){{2}} (?:{}){{0,2}} (?:{}){{1,3}}".split()


def pattern(dice: random.Random, depth: int = 3) -> str:
    """A pattern that compiles, of parts in groups, alternatives and repetitions; none of them explodes."""
    while True:
        made = _pattern(dice, depth, GROUPS + REPEATS)
        if dice.random() < 0.2:
            made = "(?i)" + made
        if dice.random() < 0.1:
            made += "(x)?(?(1)a|b)"
        try:
            re.compile(made.encode())
        except re.error:
            continue
        return made


def _pattern(dice: random.Random, depth: int, wraps: "list[str]") -> str:
    parts = []
    for _ in range(dice.randint(1, 4)):
        if depth and dice.random() < 0.4:
            wrap = dice.choice(wraps)
            inside = GROUPS if wrap in REPEATS else wraps
            inner = "|".join(_pattern(dice, depth - 1, inside) for _ in range(dice.choice((1, 1, 2))))
            parts.append(wrap.format(inner, n=dice.randrange(10**6)))
        else:
            parts.append(dice.choice(PARTS))
    return "".join(parts)


def line(dice: random.Random, longest: int = 16) -> bytes:
    """A line without its newline."""
    return "".join(dice.choice(LETTERS) for _ in range(dice.randint(0, longest))).encode()
