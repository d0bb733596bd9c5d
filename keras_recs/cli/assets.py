"""`keras-recs assets`: what is fetched when it is needed."""

from __future__ import annotations

import click

from keras_recs.questions.names import nearest
from keras_recs.terminal.tables import AS_JSON, console, print_json, table

SIDE_BY_SIDE = 100  # columns of screen from which size and presence have columns of their own


@click.group("assets", invoke_without_command=True)
@AS_JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Data and weights that are fetched when needed."""
    from keras_recs.data.assets import ASSETS, is_present

    if context.invoked_subcommand is not None:
        return
    if as_json:
        print_json(
            [
                {
                    "name": a.name,
                    "description": a.description,
                    "size": a.size,
                    "licence": a.licence,
                    "present": is_present(a.name),
                }
                for a in ASSETS.values()
            ]
        )
        return
    from rich.text import Text

    out = console()
    beside = out.width >= SIDE_BY_SIDE
    rows = table(*("name", "MB", "here") if beside else ("name",), "what it is, and its licence")
    for column in rows.columns[:-1]:
        column.no_wrap = True
    for asset in ASSETS.values():
        size, here = f"{asset.size / 1e6:.1f}", is_present(asset.name)
        about = Text.assemble(asset.description, "\n", (asset.licence, "dim"))
        if beside:
            rows.add_row(asset.name, Text(size, justify="right"), "yes" if here else "", about)
        else:
            rows.add_row(f"{asset.name}\n{size} MB{', here' if here else ''}", about)
    out.print(rows)
    click.echo("keras-recs assets get NAME fetches one ahead of time.")


@command.command("get")
@click.argument("names", nargs=-1, required=True)
def get(names: tuple[str, ...]) -> None:
    """Fetch the assets NAMES."""
    from keras_recs.data.assets import ASSETS, AssetError, fetch

    for name in names:
        if name not in ASSETS:
            near = nearest(name, ASSETS)
            advice = f"did you mean {near}?" if near else f"there are: {', '.join(ASSETS)}"
            raise click.UsageError(f"there is no asset {name!r}; {advice}")
    for name in names:
        try:
            click.echo(f"{name}: {fetch(name)}")
        except AssetError as error:
            raise click.ClickException(str(error)) from error
