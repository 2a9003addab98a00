"""What is shipped: the source archive, the wheel made from it, and the twistd plug-in inside."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import ClassVar

from tests.test_layers import ROOT, STDLIB, imports, ours

NOT_COPIED = (".*", "*.egg-info", "build", "dist", "var", "__pycache__", "dropin.cache")
IN_USE = ("_trial_temp*", "tests.*")  # folders of tests that may run just now: what is in them comes and goes
BUILD = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
PLUGINS = """
import sys
sys.path[:0] = [sys.argv[1]]
sys.path += sys.argv[2:]
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
for plugin in getPlugins(IServiceMaker):
    if plugin.tapname == "monitor436":
        print(sys.modules["twisted.plugins.monitor436_plugin"].__file__)
        plugin.options()
        print(sys.modules["monitor436.tap"].__file__)
"""
PROVIDES = {
    "OpenSSL": "pyopenssl",
    "yaml": "pyyaml",
    "zope": "zope.interface",
}  # where the distribution has another name than the module


class ArchiveTests(unittest.TestCase):
    """Built once, from a copy: nothing is left in the tree, and the wheel comes from the source archive."""

    folder: ClassVar[tempfile.TemporaryDirectory[str]]
    sdist: ClassVar[set[str]]
    wheel: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        top = Path(cls.folder.name)
        shutil.copytree(ROOT, top / "copy", ignore=shutil.ignore_patterns(*NOT_COPIED, *IN_USE))
        build(top / "copy", "build_sdist", top)
        with tarfile.open(next(top.glob("*.tar.gz"))) as archive:
            archive.extractall(top / "source", filter="data")
        source = next((top / "source").iterdir())
        cls.sdist = {str(path.relative_to(source)) for path in source.rglob("*")}
        build(source, "build_wheel", top)
        cls.wheel = next(top.glob("*.whl"))

    def test_the_source_archive_holds_what_an_operator_needs(self) -> None:
        """The .tac file, every example under etc/, the licence, and the tests."""
        wanted = {"monitor.tac", "LICENSE", "Makefile", "tox.ini", "setup.cfg", "tests/test_packaging.py"}
        wanted |= {str(path.relative_to(ROOT)) for path in (ROOT / "etc").rglob("*.yaml")}
        self.assertEqual(wanted - self.sdist, set())

    def test_the_wheel_holds_every_file_of_the_package(self) -> None:
        """Packages and data are listed by hand, so that a new folder is easily forgotten."""
        wanted = {str(path.relative_to(ROOT)) for path in files_of_the_package()}
        with zipfile.ZipFile(self.wheel) as archive:
            shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
        self.assertEqual(wanted - shipped, set())
        beside = {name for name in shipped if not name.startswith("monitor436/")}
        self.assertEqual(beside, {"twisted/plugins/monitor436_plugin.py"})

    def test_twistd_finds_the_plugin_of_the_wheel(self) -> None:
        """In an interpreter that knows the wheel and the libraries, not this tree: -S reads no .pth files."""
        target = Path(self.folder.name) / "target"
        with zipfile.ZipFile(self.wheel) as archive:
            archive.extractall(target)
        libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        run = [sys.executable, "-I", "-S", "-c", PLUGINS, str(target), *libraries]
        found = subprocess.run(run, cwd=self.folder.name, check=True, capture_output=True, text=True).stdout.split()
        wanted = [target / "twisted/plugins/monitor436_plugin.py", target / "monitor436/tap.py"]
        self.assertEqual([Path(name) for name in found], wanted)


class SetupTests(unittest.TestCase):
    """What setup.cfg says, against what the tree does."""

    def test_every_library_that_is_imported_is_asked_for(self) -> None:
        """One that another library happens to bring would be gone one day."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        asked = {re.split(r"[\[>=<]", line)[0] for line in setup["options"]["install_requires"].split()}
        modules = ours()
        used = {
            line.target.split(".")[0]
            for path in modules.values()
            for line in imports(ast.parse(path.read_text("utf-8")), set(modules))
        }
        used -= {*STDLIB, "monitor436"}
        self.assertEqual({PROVIDES.get(name, name) for name in used} - asked, set())

    def test_our_twisted_folder_stays_a_piece_of_twisted(self) -> None:
        """With an __init__.py it would hide Twisted itself."""
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])


def files_of_the_package() -> list[Path]:
    """Modules, and data beside them."""
    files = (path for path in (ROOT / "monitor436").rglob("*") if path.is_file())
    return [path for path in files if "__pycache__" not in path.parts]


def build(source: Path, what: str, into: Path) -> None:
    """Run the build backend, as pip does."""
    run = [sys.executable, "-c", BUILD, what, str(into)]
    done = subprocess.run(run, cwd=source, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise AssertionError(done.stdout[-2000:])
