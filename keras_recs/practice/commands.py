"""The commands practice, check, bughunt and progress."""

from __future__ import annotations

import contextlib
import random
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from keras_recs.questions import QUESTIONS, Question
from keras_recs.terminal.tables import AS_JSON, Number, console, print_json, table


def _folder(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path:
    from keras_recs.utils.places import find_folder

    folder = value if value is not None else find_folder()
    with contextlib.suppress(ValueError):  # short, where it lies below
        return folder.relative_to(Path.cwd())
    return folder


FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    callback=_folder,
    help="Where exercises lie; by default the folder `practice` here or above, else a new one here.",
)


class NumberOrFile(Number):
    """A question, or a file of it, which is then what `check` looks at: its name begins with the
    question's stem."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Question:
        if isinstance(value, str) and ctx is not None and value.endswith(".py"):
            stem = Path(value).stem.removesuffix(HUNT)
            if any(q.stem == stem for q in QUESTIONS):
                ctx.meta[FILE_GIVEN] = Path(value)
                value = stem
        return super().convert(value, param, ctx)


HUNT = "_bughunt"  # at the end of the names of bug hunts
FILE_GIVEN = "keras_recs.file"
FORCE = click.option("--force", is_flag=True, help="Overwrite what you have written.")


@click.command()
@click.argument("number", type=Number(built=True))
@FOLDER
@FORCE
def practice(number: Question, folder: Path, force: bool) -> None:
    """Write an exercise: an answer without its heart.

    The answer to question NUMBER, with the functions that matter taken out, for you to fill in. It
    goes to the folder `practice`; `keras-recs check NUMBER` then says how far it is.
    """
    from keras_recs.practice.exercise import exercise_file
    from keras_recs.practice.screen import Screen
    from keras_recs.practice.sources import answer_source
    from keras_recs.practice.stubs import marked, stub, task_of

    source = answer_source(number)
    file = exercise_file(number, folder)
    _write(file, stub(source), force, f"keras-recs check {number.number}{_said(folder)}")
    functions = marked(source)
    indent = 4 + min(16, max(map(len, functions)))
    screen = Screen()
    screen.lines.append(f"{file}: fill in")  # never broken: it may be copied
    for name, node in functions.items():
        screen.add(task_of(node) or "", indent, first=f"  {name}  ")
    screen.lines.append(
        f"then: keras-recs check {number.number}{_said(folder)}   (with --hint for a first hint)"
    )
    click.echo(screen.text(), color=screen.colour)


@click.command()
@click.argument("number", type=NumberOrFile(built=True))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@FOLDER
@click.option(
    "--watch/--once",
    default=None,
    help="Check again whenever the file is saved, the default in a terminal; "
    "or print one report and end.",
)
@click.option(
    "--hint", is_flag=True, help="Show the next hint for the first function that is not done."
)
@click.option("--all", "everything", is_flag=True, help="Show every behaviour.")
@click.option("--reference", is_flag=True, help="Show the reference beside what you have written.")
@click.option(
    "--full",
    is_flag=True,
    help="Also on MovieLens and with pretrained encoders, which takes longer.",
)
@click.option(
    "--seconds",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Time limit of one check.",
)
@AS_JSON
def check(
    number: Question,
    file: Path | None,
    folder: Path,
    watch: bool | None,
    hint: bool,
    everything: bool,
    reference: bool,
    full: bool,
    seconds: int,
    as_json: bool,
) -> None:
    """Say how far your answer is, and what comes next.

    It is your exercise for question NUMBER, else your bug hunt, or another FILE.
    """
    from keras_recs.practice.exercise import Exercise
    from keras_recs.practice.grading import CheckError
    from keras_recs.practice.grading import check as grade

    q = number
    file = _file_to_check(q, folder, file or click.get_current_context().meta.get(FILE_GIVEN))
    if watch is None:
        watch = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    with _errors_in_one_line(CheckError):
        exercise = Exercise(q, file, folder, full, seconds)
        if watch and not as_json:
            from keras_recs.practice.watch import Watch

            loop = Watch(exercise)
            loop.all, loop.reference = everything, reference
            loop.run()
            return
        found = grade(q, file, full=full, seconds=seconds)
        new = exercise.record(found)
        if as_json:
            print_json([b.as_dict() for b in found.behaviours])
        else:
            _report_check(exercise, found, new, hint, everything, reference)
        if exercise.notes.said:
            click.echo(exercise.notes.said, err=True)
    if not found.passed:
        raise SystemExit(1)


def _file_to_check(q: Question, folder: Path, given: Path | None) -> Path:
    """What is named, else the exercise, else the bug hunt."""
    from keras_recs.practice.exercise import exercise_file, hunt_file

    if given is not None:
        if given.is_file():
            return given
        if str(given) in ("hint", "all", "reference", "watch", "once", "full", "json"):
            raise click.UsageError(f"there is no file {given}; did you mean --{given}?")
        raise click.UsageError(
            f"there is no file {given}; `keras-recs check {q.number}` looks at your exercise"
        )
    exercise, hunt = exercise_file(q, folder), hunt_file(q, folder)
    if exercise.is_file() or not hunt.is_file():
        if not exercise.is_file():
            raise click.UsageError(
                f"{exercise} does not exist; `keras-recs practice {q.number}{_said(folder)}` "
                "writes it"
            )
        return exercise
    return hunt


def _said(folder: Path) -> str:
    """The option that names this folder, where it is not the one that is found without."""
    from keras_recs.utils.places import find_folder

    if folder.resolve() == find_folder():
        return ""
    return f" --folder {shlex.quote(str(folder))}"


def _report_check(
    exercise: Any,
    found: Any,
    new: Sequence[Any],
    hint: bool,
    everything: bool,
    reference: bool,
) -> None:
    """One plain report of a check."""
    from keras_recs.practice.screen import Screen

    hunted = exercise.hunted
    screen = Screen()
    screen.header(found, hunted)
    for part in new:
        screen.cost(found, part)
    if not found.passed:
        screen.step(found, hunted)
    if hint and not found.passed:
        if found.broken is None:
            exercise.next_hint(found)
        name, levels = exercise.hints(found)
        shown = exercise.shown(name)
        if levels and shown:
            screen.add(
                f"hint {shown} of {len(levels)}{f' for {name}' if name else ''}: {levels[shown - 1]}",
                6,
                colour="yellow",
            )
    if everything:
        screen.add()
        screen.all(found, hunted)
    elif not hunted:
        screen.add(screen.count(found))
    if reference and not hunted and found.readable:
        screen.add()
        part = found.next
        screen.reference(found, [part.name] if part is not None else list(found.answer))
    if found.passed:
        screen.passed(found, exercise)
    else:
        more = [] if hint or found.broken else ["--hint for a hint"]
        more += [] if everything else [f"--all for all {len(found.behaviours)} behaviours"]
        more += (
            []
            if reference or hunted or not found.readable
            else ["--reference for the reference beside yours"]
        )
        if more:
            screen.row([("more:", None), *((text, None) for text in more)], gap="   ")
    click.echo(screen.text(), color=screen.colour)


@click.command()
@click.argument("number", type=Number(built=True), required=False)
@FOLDER
@FORCE
@click.option(
    "--defect",
    "name",
    help="Which one to plant; by default, chance picks one you have not repaired.",
)
@click.option(
    "--docstrings", is_flag=True, help="Keep docstrings and comments, which say what is right."
)
@click.option(
    "--report", is_flag=True, help="Instead: which tests reject which defects, all against all."
)
@AS_JSON
def bughunt(
    number: Question | None,
    folder: Path,
    force: bool,
    name: str | None,
    docstrings: bool,
    report: bool,
    as_json: bool,
) -> None:
    """Write an answer with one defect, for you to find.

    The answer to question NUMBER, with one defect planted. Repair it; `keras-recs check` says
    whether it is gone."""
    from keras_recs.practice.defects import defect, defects
    from keras_recs.practice.exercise import hunt_file
    from keras_recs.practice.notes import Notes
    from keras_recs.practice.sources import answer_source
    from keras_recs.practice.stubs import quiet, unmarked

    if report:
        _report([number] if number else [q for q in QUESTIONS if q.built], as_json)
        return
    if number is None:
        raise click.MissingParameter(
            param_hint="'NUMBER'", param_type="argument", message=Number.MISSING
        )
    q = number
    with _errors_in_one_line():
        notes = Notes(folder)
        mine = notes.of(q.number)
        if name is None:
            choice = [d for d in defects(q) if d.plantable]
            chosen = random.choice([d for d in choice if d.name not in mine["repaired"]] or choice)
        else:
            try:
                chosen = defect(q.number, name)
            except ValueError as error:
                raise click.UsageError(str(error)) from error
        file = hunt_file(q, folder)
        source = chosen.plant(answer_source(q))
        done = mine["planted"] in mine["repaired"]  # a hunt that is over makes room for the next
        check = f"keras-recs check {q.number} {shlex.quote(str(file))}{_said(folder)}"
        _write(file, unmarked(source if docstrings else quiet(source)), force or done, check)
        with notes.change(q.number) as mine:
            mine["planted"] = chosen.name
            mine["hints"].pop("", None)
        if notes.said:
            click.echo(notes.said, err=True)
    click.echo(f"{file}: the answer, with one defect. Find it, repair it, then\n{check}")


@click.command()
@FOLDER
@AS_JSON
def progress(folder: Path, as_json: bool) -> None:
    """What you have achieved so far."""
    with _errors_in_one_line():
        rows, said = progress_rows(folder)
    if said:
        click.echo(said, err=True)
    if as_json:
        print_json(rows)
        return
    out = table("", "question", "best", "checks", "last", "repaired")
    for column in (out.columns[0], *out.columns[2:]):
        column.no_wrap = True
    out.columns[1].overflow = "fold"
    for row in rows:
        best = f"{row['best']} of {row['of']}" if row["of"] else "not tried"
        out.add_row(
            str(row["number"]),
            row["title"],
            best,
            str(row["attempts"] or ""),
            row["date"] or "",
            f"{row['repaired']} of {row['defects']}",
        )
    console().print(out)
    click.echo("best: behaviours that held at once; repaired: bug hunts")


def progress_rows(folder: Path) -> tuple[list[dict[str, Any]], str | None]:
    """One row a question that is built; and what is to be said of a damaged file."""
    from keras_recs.practice.defects import defects
    from keras_recs.practice.notes import Notes

    notes = Notes(folder)
    rows = []
    for q in (q for q in QUESTIONS if q.built):
        mine = notes.of(q.number)
        rows.append(
            {
                "number": q.number,
                "title": q.title,
                "holds": mine["holds"],
                "of": mine["of"],
                "best": mine["best"],
                "attempts": mine["attempts"],
                "date": mine["date"],
                "repaired": len(set(mine["repaired"])),
                "defects": sum(d.plantable for d in defects(q)),
            }
        )
    return rows, notes.said


COMMANDS = (practice, check, bughunt, progress)


@contextlib.contextmanager
def _errors_in_one_line(*kinds: type[Exception]) -> Iterator[None]:
    """What the file system refuses is said in one line, and so are errors of these kinds."""
    caught: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except caught as error:
        raise click.ClickException(str(error)) from error


def _write(file: Path, text: str, force: bool, check: str) -> None:
    if file.exists() and not force:
        raise click.ClickException(
            f"{file} is there already, and may be your work: `{check}` goes on with it, --force "
            "overwrites it"
        )
    with _errors_in_one_line():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf8")


def _report(questions: Sequence[Question], as_json: bool) -> None:
    from keras_recs.practice.matrix import matrix, summary

    rows = [row for q in questions for row in matrix(q)]
    if as_json:
        print_json(rows)
        return
    out = table("", "defect", "rejected by", "by shape tests alone")
    for row in rows:
        out.add_row(
            str(row["question"]),
            row["defect"],
            f"{len(row['rejected_by'])} of {row['tests']}",
            "yes" if row["by_shape"] else "no",
        )
    console().print(out)
    click.echo(summary(rows))
