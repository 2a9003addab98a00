"""`monitor436 init`: a folder to start from."""

from importlib.resources import files
from pathlib import Path

import click

from monitor436.model.settings.rendered import render
from monitor436.model.settings.whole import Settings


@click.command()
@click.argument("folder", type=click.Path(file_okay=False), metavar="DIR")
def init(folder: str) -> None:
    """Write settings and a first plan below DIR. What is there already is left alone, and then nothing is written.

    \b
    monitor436 init site
    monitor436 run -c site/etc/monitor436.yaml
    """
    etc = Path(folder) / "etc"
    starter = files("monitor436.cli").joinpath("starter", "all.yaml").read_text()
    wanted = {etc / "monitor436.yaml": render(Settings()), etc / "agents" / "all.yaml": starter}
    there = [path for path in wanted if path.exists()]
    if there:
        raise click.ClickException(f"{there[0]} exists already; nothing was written")
    try:
        for path, content in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            click.echo(f"wrote {path}")
    except OSError as problem:
        raise click.ClickException(f"{problem.filename}: {problem.strerror}") from None
    click.echo(f"next: monitor436 run -c {etc / 'monitor436.yaml'}")
