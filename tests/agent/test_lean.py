"""Modules that a child has compiled are the same modules."""

import importlib
import io
import marshal
import os
import shutil
import sys
import tempfile
import unittest
import zipfile

from monitor436.agent import lean

ONE = '"""One."""\nimport packed_for_a_test.two\nfrom packed_for_a_test import three\nHERE = 1\n'
FILES = {
    "packed_for_a_test/__init__.py": "",
    "packed_for_a_test/one.py": ONE,
    "packed_for_a_test/two.py": '"""Two."""\nfrom packed_for_a_test import four\ndef fails():\n    return 1 / 0\n',
    "packed_for_a_test/three.py": "from packed_for_a_test.below import five\n",
    "packed_for_a_test/below/__init__.py": "",
    "packed_for_a_test/below/five.py": '"""Five."""\nFIVE = 5\n',
    "packed_for_a_test/below/six.py": "",
    "packed_for_a_test/four.py": "BESIDE = __loader__.get_data('beside')\n",
    "beside": "what is packed beside the code",
}


class LeanTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.file = os.path.join(folder, "packed.pyz")
        with zipfile.ZipFile(self.file, "w") as packed:
            for name, text in FILES.items():
                packed.writestr(name, text)
        self.addCleanup(sys.path.remove, self.file)
        self.addCleanup(self.forget)
        sys.path.append(self.file)
        importlib.import_module("packed_for_a_test")

    def forget(self) -> None:
        """The modules of this test are nobody else's."""
        for name in [name for name in sys.modules if name.startswith("packed_for_a_test")]:
            del sys.modules[name]

    def test_modules_of_a_packed_file_are_loaded_without_their_docstrings(self) -> None:
        """All that the first one imports, wherever in it; of a child nothing stays."""
        before, finders = os.listdir("/proc/self/fd"), list(sys.meta_path)
        lean.load("packed_for_a_test.one")
        self.assertEqual(sys.modules["packed_for_a_test.one"].HERE, 1)
        for name in ("one", "two"):
            self.assertIsNone(sys.modules["packed_for_a_test." + name].__doc__)
        self.assertIn("packed_for_a_test.three", sys.modules)
        self.assertEqual((os.listdir("/proc/self/fd"), sys.meta_path), (before, finders))

    def test_they_know_where_they_come_from(self) -> None:
        """What is packed beside them can be read, and a traceback shows their lines."""
        lean.load("packed_for_a_test.one")
        self.assertEqual(sys.modules["packed_for_a_test.four"].BESIDE, b"what is packed beside the code")
        two = sys.modules["packed_for_a_test.two"]
        self.assertEqual(two.__file__, os.path.join(self.file, "packed_for_a_test", "two.py"))
        self.assertIn("1 / 0", two.__loader__.get_source(two.__name__))  # type: ignore[union-attr]

    def test_packages_in_the_package_are_packages(self) -> None:
        """What is in them is loaded as well, knows its source, and can be followed by modules that are not."""
        lean.load("packed_for_a_test.one")
        five = sys.modules["packed_for_a_test.below.five"]
        self.assertEqual((five.FIVE, five.__doc__), (5, None))
        self.assertEqual(five.__loader__.get_source(five.__name__), FILES["packed_for_a_test/below/five.py"])  # type: ignore[union-attr]
        self.assertEqual(importlib.import_module("packed_for_a_test.below.six").__package__, "packed_for_a_test.below")

    def test_a_module_that_is_not_the_next_is_left_to_others(self) -> None:
        """As after a child that died half way."""
        code = compile("HERE = True", "three.py", "exec")
        whole = marshal.dumps(("packed_for_a_test.three", "three.py", code))
        for data in (b"", whole[:10], b"\0" * 20, whole + whole[:10]):
            compiled = lean.Compiled(io.BytesIO(data), None)
            self.assertIsNone(compiled.find_spec("packed_for_a_test.two"))
            found = compiled.find_spec("packed_for_a_test.three")
            self.assertEqual(found is not None, data.startswith(whole))

    def test_a_module_that_cannot_be_imported_fails_as_usual(self) -> None:
        """Here, with its reason, not in a child."""
        with self.assertRaises(ImportError):
            lean.load("packed_for_a_test.none")


if __name__ == "__main__":
    unittest.main()
