"""The -c option that most commands share."""

from typing import Any

import click

from monitor436.binder import DEFAULT, load
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError


class SettingsFile(click.ParamType):  # type: ignore[type-arg]
    """A settings file, read: mistakes in it end the command with status 2, a line each."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Settings:
        if isinstance(value, Settings):
            return value
        try:
            return load(value, Settings)
        except SettingsError as wrong:
            for problem in wrong.problems:
                click.echo(str(problem), err=True)
            raise SystemExit(2) from None


settings_option = click.option(
    "-c", "--config", "settings", type=SettingsFile(), default=DEFAULT, show_default=True, help="The settings file."
)
