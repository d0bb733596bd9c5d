"""Where a command's data come from: one of the named data sets, or a file of the reader's own."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_recs.questions import Answer, Question

if TYPE_CHECKING:
    from keras_recs.data import Dataset

_MOVIELENS = frozenset({"ratings", "timestamps", "titles", "genres", "years"})
#: What each data set holds, by the names that `Dataset.has` knows, so that nothing is loaded in
#: vain.
HOLDS = {
    "cinema": _MOVIELENS | {"texts", "images", "user_texts", "knowledge"},
    "ml-100k": _MOVIELENS | {"knowledge"},
    "ml-latest-small": _MOVIELENS,
    "ml-1m": _MOVIELENS,
}
#: Option -> argument of the readers.
COLUMNS = {"user": "user", "item": "item", "rating": "rating", "time": "timestamp"}
#: What a data set may lack -> the option that says where a file has it.
OPTIONS = {"timestamps": "--time", "ratings": "--rating"}
_ARGUMENT = re.compile(
    r"\b(user|item|rating|timestamp|delimiter|encoding)=(None|…|'[^']*')|"
    r"\bcolumns=\[([^]]*)\]"
)
NOTHING = "-"  # instead of a column: go without it


@dataclass(frozen=True)
class Source:
    """Data that are not loaded yet.

    Attributes:
        name: of the data set or file, as messages call it.
        file: None for a named data set.
        columns: user, item, rating, timestamp: what the file calls them, where it was said; None
        for do without. layout: delimiter, encoding and columns of a text file, where they were
        said.
    """

    name: str
    file: Path | None
    columns: dict[str, str | None]
    layout: dict[str, Any] = field(default_factory=dict)

    @property
    def may_hold(self) -> frozenset[str]:
        """What there can be at most: a file of interactions has no texts."""
        return HOLDS[self.name] if self.file is None else frozenset({"ratings", "timestamps"})

    def load(self, language: str = "en") -> Dataset:
        """The data; what is wrong with them is an error of one line."""
        try:
            return _read(self, language)
        except (ValueError, KeyError, TypeError, NotImplementedError) as error:
            message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
            message = message.replace(str(self.file), self.name) if self.file else message
            message = message if message.startswith(self.name) else f"{self.name}: {message}"
            raise click.UsageError(_ARGUMENT.sub(_as_option, message)) from error


def _as_option(argument: re.Match[str]) -> str:
    """An argument of the readers as the command has it: `timestamp=None` is `--time -`."""
    if argument[1] is None:
        return "--columns " + argument[3].replace("'", "").replace(" ", "")
    option = next((option for option, name in COLUMNS.items() if name == argument[1]), argument[1])
    return f"--{option} {argument[2].replace('None', NOTHING).replace('…', 'COLUMN')}"


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `source_of` reads."""
    for option in reversed(
        [
            click.option(
                "--dataset",
                type=click.Choice(list(HOLDS)),
                help="cinema, which comes with the package, or one that is fetched.  [default: cinema]",
            ),
            click.option(
                "--data",
                "file",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                help="Instead: a CSV or Parquet file of your own, a row for each event.",
            ),
            click.option("--user", metavar="COLUMN", help="Its column of users.  [default: user]"),
            click.option("--item", metavar="COLUMN", help="Its column of items.  [default: item]"),
            click.option(
                "--rating",
                metavar="COLUMN",
                help="Its column of ratings; - for none.  [default: rating]",
            ),
            click.option(
                "--time",
                metavar="COLUMN",
                help="Its column of times; - for none.  [default: timestamp]",
            ),
            click.option(
                "--columns",
                metavar="NAMES",
                help="user,item,rating,timestamp or whatever they are, where "
                "the file has no header line.",
            ),
            click.option(
                "--delimiter", metavar="SIGN", help="What separates its fields.  [default: ,]"
            ),
            click.option(
                "--encoding", metavar="NAME", help="Of its text, such as gb18030.  [default: utf-8]"
            ),
        ]
    ):
        command = option(command)
    return command


def source_of(
    dataset: str | None,
    file: Path | None,
    layout: dict[str, str | None] | None = None,
    **columns: str | None,
) -> Source:
    """The source that the options name; `layout` has columns, delimiter and encoding."""
    said: dict[str, Any] = {
        option: value for option, value in (layout or {}).items() if value is not None
    }
    named = {
        COLUMNS[option]: None if column == NOTHING else column
        for option, column in columns.items()
        if column is not None
    }
    if file is None:
        if named:
            option = next(option for option, column in columns.items() if column is not None)
            raise click.UsageError(
                f"--{option} names a column of a file: give the file with --data FILE"
            )
        if said:
            raise click.UsageError(
                f"--{next(iter(said))} is of a file: give the file with --data FILE"
            )
        return Source(dataset or "cinema", None, {})
    if dataset is not None:
        raise click.UsageError(f"--dataset {dataset} and --data {file.name}: choose one of them")
    if "columns" in said:
        said["columns"] = [name.strip() for name in said["columns"].split(",")]
    if said.get("delimiter") in ("\\t", "tab"):
        said["delimiter"] = "\t"  # as one can type it
    return Source(file.name, file, named, said)


def lacking(source: Source, q: Question, answer: Answer, data: Dataset | None = None) -> list[str]:
    """What an answer needs and the source cannot have; with `data`, what these do not have."""
    if data is None:
        return [what for what in _declared(q, answer) if what not in source.may_hold]
    return [what for what in q.load(answer).requires if not data.has(what)]


def _declared(q: Question, answer: Answer) -> tuple[str, ...]:
    """What the answer's class says that it requires, read without importing it: TensorFlow takes
    seconds."""
    for node in (node for file in q.files() for node in ast.parse(file.read_text("utf8")).body):
        if isinstance(node, ast.ClassDef) and node.name == answer.class_name:
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "requires":
                    return ast.literal_eval(line.value)
    return ()  # nothing, or inherited: then the class says so, once the data are there


def check_split(source: Source, protocol: str, data: Dataset) -> None:
    """Refuse data that the protocol cannot split."""
    from keras_recs.evaluation import protocol_named

    for what in protocol_named(protocol).lacking(data):
        option = OPTIONS.get(what)
        advice = f"; {option} COLUMN says which column has them" if option else ""
        raise click.UsageError(
            f"protocol {protocol} needs {what}, which {source.name} does not have{advice}"
        )


def _read(source: Source, language: str) -> Dataset:
    from keras_recs.data import load_cinema, load_movielens, read_csv, read_parquet
    from keras_recs.data.assets import AssetError

    if source.file is not None:
        columns: dict[str, Any] = dict(source.columns)
        if source.file.suffix.lower() in (".parquet", ".pq"):
            if source.layout:
                raise ValueError(
                    f"--{next(iter(source.layout))} is for text files, not for Parquet"
                )
            return read_parquet(source.file, **columns)
        if ".tsv" in source.file.name.lower():
            columns["delimiter"] = "\t"
        return read_csv(source.file, **columns | source.layout)
    if source.name == "cinema":
        return load_cinema(language)
    try:
        return load_movielens(source.name)
    except AssetError as error:
        raise click.ClickException(str(error)) from error
