"""The command `keras-recs`. Each of its commands is a file, read when it is called: `list` must not
wait for others."""

from __future__ import annotations

import importlib
import warnings
from typing import NoReturn

import click

from keras_recs import __version__
from keras_recs.cli import streams
from keras_recs.questions.names import nearest

#: Our own commands: where each is, in the order in which `--help` has them.
_OWN = {
    "list": "listing",
    "show": "show",
    "glossary": "glossary",
    "run": "run",
    "leaderboard": "leaderboard",
    "assets": "assets",
    "devices": "devices",
}
#: Modules with more commands, in `COMMANDS`.
_MORE = ("keras_recs.practice.commands", "keras_recs.interview.commands")


class Commands(click.Group):
    """A group that imports a command when it is asked for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_OWN, *_others()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OWN:
            return importlib.import_module(f"keras_recs.cli.{_OWN[cmd_name]}").command
        return _others().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = nearest(name, self.list_commands(ctx))
            advice = (
                f"did you mean {near}?"
                if near
                else f"there are: {', '.join(self.list_commands(ctx))}"
            )
            ctx.fail(f"No such command {name!r}; {advice}")
        return super().resolve_command(ctx, args)


def _others() -> dict[str, click.Command]:
    """The commands of other parts, by name."""
    found = [command for module in _MORE for command in importlib.import_module(module).COMMANDS]
    return {str(command.name): command for command in found}


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="keras-recs")
def cli() -> None:
    """24 recommender-system interview questions, answered with code that works."""


def main() -> NoReturn:
    """Run the command; a wrong argument is one line on stderr and exit code 2."""
    streams.prepare()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warned
            code = cli.main(standalone_mode=False)
        streams.flush()
    except click.UsageError as error:
        _end(" ".join(error.format_message().split()), 2)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    except BrokenPipeError:
        streams.abandon()
        raise SystemExit(1) from None
    except OSError as error:  # a folder that may not be written to, a disk that is full
        streams.abandon()
        _end(str(error), 1)
    raise SystemExit(code or 0)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """What an answer has to say about the data, on one line; who uses a command cares for no line
    of code."""
    click.echo(f"keras-recs: {' '.join(str(message).split())}", err=True)


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"keras-recs: {message}", err=True)
    raise SystemExit(code) from None
