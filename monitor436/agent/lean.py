"""Importing modules without what compiling them leaves behind: 1 MiB in fragments that the process would keep for ever.

A child compiles them, and sends what came of it through a pipe, in the order in which they are imported.
"""

import marshal
import os
import sys


class Compiled:
    """A finder of modules whose code comes out of `stream`. It stands aside for those that are not next in it.

    `file` is the loader of the agent file, which has their source for tracebacks, and what was packed beside them.
    """

    def __init__(self, stream: "object", file: "object") -> None:
        self._stream = stream
        self._file = file
        self._below = {}  # type: dict[str, object]  # packages, and the loader of the modules in each
        self._next = self._take()

    def find_spec(self, name: str, path: "object" = None, target: "object" = None) -> "object":
        """As the import system asks for it."""
        if name != self._next[0]:
            return None
        spec = type(__spec__)(name, self)  # type: ignore[arg-type]
        folder, module = os.path.split(self._next[1])
        if module == "__init__.py":
            spec.submodule_search_locations = [folder]
            self._below[name] = type(self._file)(folder)  # type: ignore[call-arg]
        return spec

    def create_module(self, spec: "object") -> None:
        """A module as usual."""

    def exec_module(self, module: "object") -> None:
        """Run what was compiled."""
        _, path, code = self._next
        self._next = self._take()
        loader = self._below.get(module.__name__.rpartition(".")[0], self._file)  # type: ignore[attr-defined]
        module.__loader__, module.__file__ = loader, path  # type: ignore[attr-defined]
        exec(code, module.__dict__)  # type: ignore[arg-type]

    def _take(self) -> "tuple[str, str, object]":
        try:
            return marshal.load(self._stream)  # type: ignore[no-any-return, arg-type]
        except (EOFError, ValueError, TypeError):  # that was all
            return "", "", None


class _Order(list):  # type: ignore[type-arg]
    """A finder that finds nothing, and notes what was asked for."""

    def find_spec(self, name: str, path: "object" = None, target: "object" = None) -> None:
        self.append(name)


def load(name: str) -> None:
    """Import the module `name`, and all of its package that it imports, if they come out of a packed file.

    Where no child can be had they are imported as usual.
    """
    package = sys.modules[name.rpartition(".")[0]]
    file, child = package.__loader__, -1
    reads, writes = os.pipe()
    if hasattr(file, "archive"):
        file = type(file)(package.__path__[0])  # type: ignore[misc, call-arg]
        try:
            child = os.fork()
        except OSError:
            pass
    if not child:
        try:
            os.close(reads)  # so that a write fails, and this ends, should the parent be gone
            _compile(name, writes)
        finally:
            os._exit(0)
    os.close(writes)
    with open(reads, "rb") as stream:
        compiled = Compiled(stream, file)
        sys.meta_path.insert(0, compiled)  # type: ignore[arg-type]
        try:
            __import__(name)
        finally:
            sys.meta_path.remove(compiled)  # type: ignore[arg-type]
    if child > 0:
        os.waitpid(child, 0)


def _compile(name: str, writes: int) -> None:
    """In the child: (name, path, code without docstrings) of each module of the package that `name` imports."""
    order = _Order()
    sys.meta_path.insert(0, order)
    __import__(name)
    package = name.rpartition(".")[0] + "."
    with open(writes, "wb") as stream:
        for each in order:
            if each.startswith(package):
                module = sys.modules[each]
                source, path = module.__loader__.get_source(each), str(module.__file__)  # type: ignore[union-attr]
                marshal.dump((each, path, compile(source, path, "exec", dont_inherit=True, optimize=2)), stream)
