"""House rules that a reader would otherwise have to remember. CONTRIBUTING.md tells why."""

import ast
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 300  # lines of a module: above that it is two things
LONGER = dict[str, str]()  # "monitor436/x.py": why it may be longer than that
BANNED = {"time.sleep": "wait with an injected clock", "mock.patch": "hand the part over in the constructor"}


def unsaid(source: str) -> list[str]:
    """What is public and has no docstring: the module, its classes, functions, and methods of classes without a base.

    A method of a class with a base may be an override, which is described where it is first defined.
    """
    tree = ast.parse(source)
    return list(_unsaid(tree, ""))


def _unsaid(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
    if ast.get_docstring(node) is None:
        yield prefix or "the module"
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from _unsaid(child, f"{prefix}.{child.name}".strip("."))
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            overrides = isinstance(node, ast.ClassDef) and node.bases
            if not overrides and ast.get_docstring(child) is None:
                yield f"{prefix}.{child.name}".strip(".")


def banned(source: str) -> list[str]:
    """The calls in BANNED that a test makes, under whatever name they were imported."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            spelt = [f"{(node.module or '').split('.')[-1]}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Attribute):
            above = node.value
            spelt = [f"{above.attr if isinstance(above, ast.Attribute) else getattr(above, 'id', '')}.{node.attr}"]
        else:
            continue
        found += [f"{node.lineno}: {name}: {BANNED[name]}" for name in spelt if name in BANNED]
    return found


def sources(folder: str) -> dict[str, str]:
    """The text of every module below a folder of the project, by path."""
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in sorted((ROOT / folder).rglob("*.py"))}


class HouseTests(unittest.TestCase):
    """The tree as it is."""

    def test_everything_public_says_what_it_is(self) -> None:
        """Modules, classes, functions."""
        found = [f"{path}: {name}" for path, text in sources("monitor436").items() for name in unsaid(text)]
        self.assertEqual(found, [])

    def test_modules_are_short(self) -> None:
        """A longer one needs a reason in LONGER, and loses it when it is short again."""
        lines = {path: text.count("\n") for path, text in sources("monitor436").items()}
        long = {path for path, count in lines.items() if count > LONGEST}
        self.assertEqual(long, set(LONGER))

    def test_tests_neither_sleep_nor_patch(self) -> None:
        """The end-to-end tests run real processes and may wait for them."""
        found = [
            f"{path}:{call}"
            for path, text in sources("tests").items()
            if not path.startswith("tests/e2e/")
            for call in banned(text)
        ]
        self.assertEqual(found, [])


class CheckerTests(unittest.TestCase):
    """The checks above on made-up modules."""

    def test_what_is_public_and_unsaid_is_found(self) -> None:
        """Overrides and private names are left alone."""
        self.assertEqual(
            unsaid('"""Said."""\ndef f():\n    "Said."\ndef _g(): pass\nclass C(B):\n    "Said."\n    def m(s): 0'), []
        )
        self.assertEqual(unsaid("class C:\n    def m(self): 0\nasync def f(): 0"), ["the module", "C", "C.m", "f"])

    def test_banned_calls_are_found_under_every_spelling(self) -> None:
        """Attributes and imported names."""
        spellings = ("time.sleep(1)", "from time import sleep", "mock.patch('x')", "unittest.mock.patch.object(a, 'b')")
        for source in (*spellings, "from unittest.mock import patch"):
            self.assertEqual(len(banned(source)), 1, source)
        self.assertEqual(banned("clock.sleep(1)\nself.patch\nimport time\ntime.monotonic()"), [])


SKIPS = """
import unittest

class Tests(unittest.TestCase):
    def test_here(self): pass
    def test_elsewhere(self): self.skipTest("no such disk")
    @unittest.expectedFailure
    def test_known(self): self.fail()
"""


class SkipTests(unittest.TestCase):
    """What tests/conftest.py does with a skipped test."""

    def run_skips(self, no_skips: str) -> tuple[int, str]:
        """The exit status and the last words of a run with one skipped test."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "test_skips.py").write_text(SKIPS)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "M436_NO_SKIPS": no_skips, "M436_COUNTS": ""}
            run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", folder]
            done = subprocess.run(run, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE)
        return done.returncode, done.stdout

    def test_a_skip_is_told_with_its_reason(self) -> None:
        """On a developer's machine a skip is allowed."""
        status, output = self.run_skips("")
        self.assertEqual(status, 0, output)
        self.assertIn("1 skipped:\n  1 x no such disk\n", output)

    def test_a_skip_fails_where_none_is_allowed(self) -> None:
        """An expected failure is still none."""
        status, output = self.run_skips("1")
        self.assertEqual(status, 1, output)
        self.assertIn("1 failed, 1 passed, 1 xfailed", output)
        self.assertIn("skipped: no such disk (M436_NO_SKIPS=1", output)
