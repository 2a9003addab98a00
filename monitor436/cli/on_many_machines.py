"""A command of which parts run on many machines: those are commands of their own, named by its first word."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class OnManyMachines(click.Command):
    """The command itself, unless its first word is a key of `parts`: module:function of a command, and what it does."""

    def __init__(self, *args: Any, parts: Mapping[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._parts = parts

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in self._parts:
            return self._part(args[0]).make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def inner(self) -> dict[str, click.Command]:
        """The commands of its parts, by their first word."""
        return {name: self._part(name) for name in self._parts}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("On many machines, through Redis"):
            formatter.write_dl([(f"{name} --help", what) for name, (_, what) in self._parts.items()])

    def _part(self, name: str) -> click.Command:
        module, _, function = self._parts[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), function)
        return command
