"""The commands practice, check, bughunt and progress."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_recs.questions import QUESTIONS, Question
from keras_recs.terminal import AS_JSON, Number, console, print_json, table

if TYPE_CHECKING:
    from keras_recs.practice.grading import Behaviour

FOLDER = click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("practice"),
                      show_default=True, help="Where exercises lie.")
FORCE = click.option("--force", is_flag=True, help="Overwrite what you have written.")


@click.command()
@click.argument("number", type=Number(built=True))
@FOLDER
@FORCE
def practice(number: Question, folder: Path, force: bool) -> None:
    """Write the answer to question NUMBER with its heart taken out, for you to fill in."""
    from keras_recs.practice.stubs import answer_source, hearts, stub, task_of

    source = answer_source(number)
    file = folder / f"{number.stem}.py"
    _write(file, stub(source), force)
    click.echo(f"{file}: fill in")
    for node in hearts(source):
        click.echo(f"  {node.name:12s} {task_of(node)}")
    click.echo(f"then: keras-recs check {number.number}")


@click.command()
@click.argument("number", type=Number(built=True))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@FOLDER
@click.option("--hint", is_flag=True, help="Show the next hint for the first behaviour that does not hold.")
@click.option("--full", is_flag=True, help="Also on MovieLens, which takes longer.")
@click.option("--seconds", type=click.IntRange(min=1), default=300, show_default=True, help="Time limit.")
@AS_JSON
def check(number: Question, file: Path | None, folder: Path, hint: bool, full: bool, seconds: int,
          as_json: bool) -> None:
    """Say which behaviours FILE shows; by default, your exercise for question NUMBER."""
    from keras_recs.practice.grading import CheckError
    from keras_recs.practice.grading import check as grade
    from keras_recs.practice.notes import Notes

    q = number
    file = file or folder / f"{q.stem}.py"
    if not file.is_file():
        raise click.UsageError(f"{file} does not exist; `keras-recs practice {q.number}` writes it")
    try:
        behaviours = grade(q, file, full=full, seconds=seconds)
    except CheckError as error:
        raise click.ClickException(str(error)) from error
    holds = sum(b.holds for b in behaviours)
    notes = Notes(folder)
    mine = notes.of(q.number)
    hunted = file.name == hunt_file(q).name
    if not hunted:
        mine["holds"], mine["of"] = holds, len(behaviours)
    if as_json:
        print_json([vars(b) for b in behaviours])
    else:
        _show(behaviours)
        click.echo(f"\n{holds} of {len(behaviours)} behaviours hold")
        if hint and holds < len(behaviours):
            click.echo(_next_hint(q, behaviours, mine, hunted))
        if hunted and holds == len(behaviours):
            click.echo(_repaired(q, mine))
    notes.save()
    if holds < len(behaviours):
        raise SystemExit(1)


@click.command()
@click.argument("number", type=Number(built=True), required=False)
@FOLDER
@FORCE
@click.option("--defect", "name", help="Which one to plant; by default, chance picks one you have not repaired.")
@click.option("--report", is_flag=True, help="Instead: which tests reject which defects, all against all.")
@AS_JSON
def bughunt(number: Question | None, folder: Path, force: bool, name: str | None, report: bool, as_json: bool) -> None:
    """Write the answer to question NUMBER with one defect planted, for you to find and repair."""
    from keras_recs.practice.defects import defect, defects
    from keras_recs.practice.notes import Notes
    from keras_recs.practice.stubs import answer_source, unmarked

    if report:
        _report([number] if number else [q for q in QUESTIONS if q.built], as_json)
        return
    if number is None:
        raise click.UsageError("Missing argument 'NUMBER'.")
    q = number
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
    file = folder / hunt_file(q).name
    _write(file, unmarked(chosen.plant(answer_source(q))), force)
    mine["planted"] = chosen.name
    notes.save()
    click.echo(f"{file}: the answer, with one defect. Find it, repair it, then\n"
               f"keras-recs check {q.number} {file}")


@click.command()
@FOLDER
@AS_JSON
def progress(folder: Path, as_json: bool) -> None:
    """What you have achieved so far."""
    from keras_recs.practice.defects import defects
    from keras_recs.practice.notes import Notes

    notes = Notes(folder)
    rows = []
    for q in (q for q in QUESTIONS if q.built):
        mine = notes.of(q.number)
        plantable = sum(d.plantable for d in defects(q))
        rows.append({"number": q.number, "title": q.title, "holds": mine["holds"], "of": mine["of"],
                     "repaired": len(mine["repaired"]), "defects": plantable})
    if as_json:
        print_json(rows)
        return
    out = table("", "question", "behaviours", "defects repaired")
    for row in rows:
        held = f"{row['holds']} of {row['of']}" if row["of"] else "not tried"
        out.add_row(str(row["number"]), row["title"], held, f"{row['repaired']} of {row['defects']}")
    console().print(out)


COMMANDS = (practice, check, bughunt, progress)


def hunt_file(q: Question) -> Path:
    return Path(f"{q.stem}_bughunt.py")


def _write(file: Path, text: str, force: bool) -> None:
    if file.exists() and not force:
        raise click.ClickException(f"{file} is there already, and may be your work; --force overwrites it")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf8")


def _show(behaviours: Sequence[Behaviour]) -> None:
    out = table("", "behaviour")
    for b in behaviours:
        out.add_row("[green]holds[/]" if b.holds else "[red]fails[/]", b.says)
    console().print(out)
    for b in [b for b in behaviours if not b.holds][:3]:
        console().print(f"[bold]{b.says}[/]", highlight=False)
        lines = [part for line in b.message.splitlines()[:8] for part in textwrap.wrap(line, 110) or [""]]
        console().print(textwrap.indent("\n".join(lines), "  "), highlight=False, markup=False)


def _next_hint(q: Question, behaviours: Sequence[Behaviour], mine: dict[str, Any], hunted: bool) -> str:
    """The next hint; each level is shown once, the last one again and again."""
    from keras_recs.practice.defects import defect, hints

    if hunted and mine["planted"]:
        return f"hint: {defect(q.number, mine['planted']).hint}"
    first = next(b for b in behaviours if not b.holds)
    levels = hints(q).get(first.test) or ["Read the assertion above: it shows the values seen."]
    shown = mine["hints"].get(first.test, 0)
    mine["hints"][first.test] = min(shown + 1, len(levels))
    level = min(shown, len(levels) - 1)
    return f"hint {level + 1} of {len(levels)}: {levels[level]}"


def _repaired(q: Question, mine: dict[str, Any]) -> str:
    from keras_recs.practice.defects import defect

    if not mine["planted"]:
        return "repaired"
    found = defect(q.number, mine["planted"])
    if found.name not in mine["repaired"]:
        mine["repaired"].append(found.name)
    return f"repaired. It was: {found.title}.\nOne sees: {found.sees}.\nRight is: {found.fix}."


def _report(questions: Sequence[Question], as_json: bool) -> None:
    from keras_recs.practice.matrix import matrix, summary

    rows = [row for q in questions for row in matrix(q)]
    if as_json:
        print_json(rows)
        return
    out = table("", "defect", "rejected by", "by shape tests alone")
    for row in rows:
        out.add_row(str(row["question"]), row["defect"], f"{len(row['rejected_by'])} of {row['tests']}",
                    "yes" if row["by_shape"] else "no")
    console().print(out)
    click.echo(summary(rows))


