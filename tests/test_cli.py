"""The command `keras-recs`: arguments, names, and what each screen must say."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import click
import numpy as np
import pytest
from conftest import checkerboard, rated_checkerboard

from keras_recs.answers.q12_item_cf import EASE
from keras_recs.cli import cli, reasons, source
from keras_recs.cli.screens import hits
from keras_recs.data import Dataset, load_cinema, split
from keras_recs.questions import QUESTIONS, Answer, Question, question


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_read", lambda *a: checkerboard(30))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of one's own, with columns of one's own names."""
    rng = np.random.default_rng(0)
    rows = [
        f"u{user},film {item},{rng.integers(1, 6)},{at}"
        for at, (user, item) in enumerate(
            (user, item) for user in range(12) for item in rng.choice(15, 6, replace=False)
        )
    ]
    file = tmp_path / "events.csv"
    file.write_text("\n".join(["who,film,points,moment", *rows]) + "\n")
    return file


# --- list and show ---


def test_list_shows_all_24_in_both_languages(run) -> None:
    code, out, err = run("list")
    assert code == 0 and err == ""
    assert "Write matrix factorisation from scratch" in out and "从零实现矩阵分解推荐" in out
    assert out.count("not yet") == 24 - sum(
        bool(row["answers"]) for row in json.loads(run("list", "--json")[1])
    )
    rows = json.loads(run("list", "--json")[1])
    assert [row["number"] for row in rows] == list(range(1, 25))
    assert rows[4]["built"] and rows[4]["stem"] == "q05_matrix_factorization"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_list_keeps_titles_and_names_whole_at_every_width(run, monkeypatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = run("list")[1]
    assert "…" not in out and all(len(line) <= width for line in out.splitlines())
    assert all(a.class_name in out for q in QUESTIONS for a in q.answers)
    words = "".join(out.split())
    assert all(word in words for q in QUESTIONS for word in q.title.split())


def test_show_has_the_answer_of_a_minute_and_everything_to_go_on_with(run) -> None:
    code, out, err = run("show", "5")
    assert code == 0 and err == ""
    assert "r̂_ui = μ + b_u + c_i + p_uᵀ q_i" in out and "$" not in out and "**" not in out
    assert out.count("MatrixFactorizationRecommender") == 1 and "difficulty 2 of 3" in out
    assert "(our judgement)" in " ".join(out.split())
    files = [
        line.split()[-1]
        for line in out.splitlines()
        if line.startswith(("code ", "notebook ", "tests "))
    ]
    assert len(files) == 3 and all(
        Path(file).is_absolute() and Path(file).is_file() for file in files
    )
    for command in ("run 5", "practice 5", "bughunt 5", "ask 5"):
        assert f"keras-recs {command}" in out


def test_show_speaks_chinese(run) -> None:
    out = run("show", "5", "--language", "zh")[1]
    assert "60 秒回答" in out and "我们的判断" in out and "偏置" in out and "60-second" not in out
    assert run("show", "5", "--language", "fr")[0] == 2


def test_show_of_what_is_not_built_says_what_is_coming(run) -> None:
    out = run("show", "13")[1]
    assert "not answered yet" in out and "SASRec" in out and "keras-recs run" not in out
    assert (
        "尚" in run("show", "13", "--language", "zh")[1]
        or "还没有" in run("show", "13", "--language", "zh")[1]
    )


def test_show_as_json_has_the_same(run) -> None:
    found = json.loads(run("show", "5", "--json")[1])
    assert found["protocol"] == "P3" and found["published"] == "MatrixFactorizationRecommender"
    assert found["sixty_seconds"] and found["files"].keys() == {"code", "notebook", "tests"}
    assert json.loads(run("show", "24", "--json")[1])["coming"]


@pytest.mark.parametrize("number", ["5", "05", "q05", "Q5", "q05_matrix_factorization"])
def test_a_question_has_one_number_however_it_is_written(run, number: str) -> None:
    assert json.loads(run("show", number, "--json")[1])["number"] == 5
    assert question(number) is question(5)


@pytest.mark.parametrize("number", ["0", "25", "-5", "5.0", "q05_knn", "", "٥", "q"])
def test_what_is_no_number_is_refused(run, number: str) -> None:
    with pytest.raises(ValueError, match="they go from 1 to 24"):
        question(number)
    code, out, err = run("show", "--", number)
    assert (code, out) == (2, "") and "they go from 1 to 24" in err


# --- wrong arguments ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "25"], "'25' is not the number of a question; they go from 1 to 24"),
        (["show", "five"], "'five' is not the number of a question"),
        (["run", "24"], "question 24 is not answered yet; these are: 2, 4, 5, "),
        (["run", "12", "--answer", "SVD"], "question 12 has no answer 'SVD'; it has: ItemCF, EASE"),
        (["run", "12", "--answer", "EASY"], "question 12 has no answer 'EASY'; did you mean EASE?"),
        (["run", "12", "--answer", "neumf"], "NeuMF answers question 8"),
        (["run", "12", "--answer", "EASE(rek=3)"], "EASE has no setting 'rek'; did you mean reg?"),
        (["run", "12", "--answer", "EASE(reg=-3)"], "EASE(reg=-3): reg must be greater than 0"),
        (["run", "12", "--answer", "EASE(reg=)"], "'EASE(reg=)' cannot be read"),
        (["run", "12", "--answer", "EASE(400)"], "'EASE(400)' cannot be read"),
        (["run", "5", "--dataset", "netflix"], "'netflix' is not one of"),
        (["run", "5", "--k", "0"], "0 is not in the range"),
        (["run", "5", "--data", "nowhere.csv"], "'nowhere.csv' does not exist"),
        (["run", "5", "--user", "who"], "--user names a column of a file"),
        (["leaderboard", "--protocol", "P9"], "'P9' is not one of"),
        (["leaderboard", "--questions", "5,99"], "'99' is not the number"),
        (["leaderboard", "--questions", "5,24"], "question 24 is not answered yet"),
        (["leaderboard", "--json", "rows.json"], "unexpected extra argument"),
        (["assets", "get", "imagenet"], "there is no asset 'imagenet'; there are: "),
        (["assets", "get", "ml100k"], "there is no asset 'ml100k'; did you mean ml-100k?"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["leaderbord"], "No such command 'leaderbord'; did you mean leaderboard?"),
        (["list", "--colour"], "No such option"),
    ],
)
def test_a_wrong_argument_is_one_clear_line_and_code_2(
    run, arguments: list[str], words: str
) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == ""
    assert words in err and err.startswith("keras-recs: ") and err.count("\n") == 1


def test_every_command_and_option_is_explained(run) -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None and command.help, name
        for option in (p for p in command.params if isinstance(p, click.Option)):
            assert option.help, f"{name} {option.opts}"
        assert run(name, "--help")[0] == 0
    for name in ("list", "show", "run", "leaderboard", "assets", "devices"):
        command = cli.get_command(context, name)
        assert command is not None
        first = str(command.help).splitlines()[0]
        assert first in run("--help")[1], f"the help of {name} is cut short"


# --- run ---


def test_run_shows_lists_side_by_side_hits_and_metrics(run, small_data) -> None:
    code, out, _ = run("run", "12", "--users", "2", "--k", "3")
    assert code == 0
    for name in ("popularity", "ItemCF", "EASE", "ItemCF(recency=10)", "EASE(recency=10)"):
        assert out.count(name) >= 3  # as it ends, over its list, in the table
    assert (
        "user 0 watched last: " in out
        and "user 1 watched" in out
        and "user 2" not in out
        and "item " in out
    )
    assert "ndcg" in out and "↑" in out and "95 % intervals" in out
    (header,) = [
        line for line in out.splitlines() if line.split()[:3] == ["popularity", "ItemCF", "EASE"]
    ][:1]
    assert header


def test_run_marks_what_the_user_went_on_to_watch(run, cinema: Dataset) -> None:
    parts = split(cinema, "P1")
    (found,) = json.loads(
        run("run", "12", "--json", "--users", "2", "--answer", "EASE(recency=10)")[1]
    )
    for row in found["recommendations"]:
        events = parts.test.interactions
        mine = events.users == parts.test.user_ids.index("user", row["user"])
        tested = parts.test.item_ids.ids[events.items[mine]].tolist()
        assert row["hits"] == [item in tested for item in row["items"]]
        assert hits(parts, row["user"], np.array(tested)).all()
        mine = np.flatnonzero(
            parts.train.interactions.users == parts.train.user_ids.index("user", row["user"])
        )
        assert parts.train.interactions.timestamps is not None
        last = parts.train.interactions.items[
            mine[np.argmax(parts.train.interactions.timestamps[mine])]
        ]
        assert row["watched"][0] == cinema.titles(cinema.item_ids.ids[[last]])[0]
    assert any(hit for row in found["recommendations"] for hit in row["hits"])


def test_run_as_json_has_figures_and_the_baseline(run, small_data) -> None:
    (result,) = json.loads(run("run", "12", "--json", "--k", "3", "--answer", "EASE")[1])
    assert result["question"] == 12 and result["protocol"] == "P1" and result["answer"] == "EASE"
    low, high = result["intervals"]["ndcg@3"]
    assert 0 <= low <= result["metrics"]["ndcg@3"] <= high <= 1
    assert result["metrics"]["ndcg@3"] > result["baseline"]["metrics"]["ndcg@3"]
    assert result["baseline"]["answer"] == "popularity"
    assert all(len(row["items"]) == len(row["titles"]) <= 3 for row in result["recommendations"])


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("ease", "EASE"),
        ("EASE(recency=10)", "EASE(recency=10)"),
        ("ease( recency = 10.0 )", "EASE(recency=10)"),
        ("item-cf", "ItemCF"),
        ("EASE(reg=50)", "EASE(reg=50)"),
        ("ItemCF(similarity='conditional')", "ItemCF(similarity=conditional)"),
    ],
)
def test_an_answer_is_found_by_its_name_in_any_spelling(
    run, small_data, wanted: str, shown: str
) -> None:
    (result,) = json.loads(run("run", "12", "--json", "--answer", wanted)[1])
    assert result["answer"] == shown


def test_the_published_name_is_taken_too(run, small_data) -> None:
    (result,) = json.loads(
        run("run", "7", "--json", "--answer", "CollaborativeFilteringRecommender")[1]
    )
    assert result["answer"] == "UserCF"


def test_each_result_is_printed_as_soon_as_it_ends(run, small_data, capsys, monkeypatch) -> None:
    seen = []

    def _fit(self: EASE, data: Dataset) -> None:
        seen.append(capsys.readouterr().out)
        raise FloatingPointError("diverged")

    monkeypatch.setattr(EASE, "_fit", _fit)
    code, out, err = run("run", "12", "--users", "1")
    assert "ItemCF" in seen[0] and "ndcg@10" in seen[0] and "EASE" not in seen[0]
    assert (
        code == 1 and err == "keras-recs: EASE(recency=10): diverged\n"
    )  # what came before, `_fit` has taken out
    assert "ItemCF(recency=10)" in out  # what follows a failure is shown all the same


@pytest.mark.filterwarnings("always")
def test_a_warning_of_an_answer_is_one_line(run, small_data, monkeypatch) -> None:
    fit = EASE._fit

    def _fit(self: EASE, data: Dataset) -> None:
        warnings.warn("the log is thin:\n  14 events a row", stacklevel=2)
        fit(self, data)

    monkeypatch.setattr(EASE, "_fit", _fit)
    code, out, err = run("run", "12", "--answer", "EASE", "--users", "0")
    assert code == 0 and "EASE" in out and err == "keras-recs: the log is thin: 14 events a row\n"


def test_run_says_why_where_an_answer_explains_itself(run, small_data) -> None:
    assert "because you watched item " in run("run", "12", "--users", "1", "--answer", "EASE")[1]
    assert "watched it" in run("run", "7", "--users", "1", "--answer", "UserCF")[1]


def test_every_answer_that_explains_itself_is_heard() -> None:
    explain = {
        a.class_name
        for q in QUESTIONS
        for a in q.answers
        if not q.keras and hasattr(q.load(a), "explain")
    }
    assert explain == set(reasons.SAYS)


def test_run_of_a_rating_answer_shows_rmse_beside_the_biases(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_read", lambda *a: rated_checkerboard(30))
    (result,) = json.loads(run("run", "4", "--json")[1])
    assert (
        result["protocol"] == "P3"
        and 0 < result["metrics"]["rmse"] < result["baseline"]["metrics"]["rmse"]
    )
    out = run("run", "4", "--users", "1")[1]
    assert "rmse ↓" in out and "biases" in out and "popularity" in out and "rated it" in out


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "7", "--users", "1"),
        ("run", "12", "--users", "1"),
        ("leaderboard", "--questions", "7,12"),
        ("assets",),
    ],
)
def test_tables_keep_the_names_of_answers_and_the_width(
    run, small_data, monkeypatch, arguments, width
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = run(*arguments)
    assert code == 0 and max(map(len, out.splitlines())) <= width
    if arguments[0] != "assets":
        for part in ("UserCF", "(recency=10,", "n_neighbors=100,", "significance=1)")[
            : 4 if "7" in arguments[1] else 0
        ]:
            assert part in out
        assert "ndcg" in out and ("0.000" in out or "1.0000" in out or "0." in out)


def test_a_name_over_a_list_is_broken_before_its_settings_only(
    run, small_data, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = run(
        "run",
        "12",
        "--users",
        "1",
        "--answer",
        "ItemCF(similarity='conditional', shrinkage=3)",
        "--answer",
        "EASE(reg=123456.25)",
    )[1]
    assert out.count("similarity=conditional,") >= 3 and out.count("shrinkage=3)") >= 3
    assert "(reg=123456.25)" in out and max(map(len, out.splitlines())) <= 60


# --- one's own data ---


def test_a_file_of_ones_own_is_read_with_its_own_column_names(run, log: Path) -> None:
    columns = ("--user", "who", "--item", "film", "--time", "moment")
    code, out, err = run(
        "run", "12", "--data", str(log), *columns, "--answer", "ItemCF", "--users", "1"
    )
    assert (code, err) == (0, "") and "events.csv: 12 users" in out and "film " in out
    (result,) = json.loads(
        run(
            "run",
            "5",
            "--data",
            str(log),
            "--user",
            "who",
            "--item",
            "film",
            "--rating",
            "points",
            "--json",
        )[1]
    )
    assert result["dataset"] == "events.csv" and result["metrics"]["rmse"] > 0


def test_parquet_is_read_too(run, log: Path, tmp_path: Path) -> None:
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(log), tmp_path / "events.parquet")
    columns = (
        "--user",
        "who",
        "--item",
        "film",
        "--time",
        "moment",
        "--json",
        "--answer",
        "ItemCF",
    )
    (one,), (other,) = (
        json.loads(run("run", "12", "--data", str(file), *columns)[1])
        for file in (log, tmp_path / "events.parquet")
    )
    assert one["metrics"] == other["metrics"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["12", "--user", "who", "--item", "film"], "--time COLUMN says which column"),
        (["5", "--user", "who", "--item", "film"], "--rating COLUMN says which column"),
        (["12", "--user", "whom", "--item", "film", "--time", "moment"], "'whom'"),
        (
            ["6", "--user", "who", "--item", "film", "--time", "moment"],
            "ContentEmbedding needs titles, which events.csv",
        ),
        (["12", "--dataset", "cinema", "--user", "who"], "choose one of them"),
    ],
)
def test_what_a_file_lacks_is_one_line(run, log: Path, arguments: list[str], words: str) -> None:
    code, out, err = run("run", *arguments, "--data", str(log))
    assert code == 2 and out == "" and words in err and err.count("\n") == 1


def test_a_dash_goes_without_a_column(run, log: Path) -> None:
    columns = ("--user", "who", "--item", "film", "--rating", "points")
    assert "needs ratings" in run("run", "5", "--data", str(log), *columns[:4], "--rating", "-")[2]
    assert "needs timestamps" in run("run", "12", "--data", str(log), *columns, "--time", "-")[2]


def test_errors_of_the_readers_speak_of_options(run, log: Path, monkeypatch) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError(
            f"{log}: is 'ts' the timestamp? Say timestamp='ts' to take it, timestamp=None to go without"
        )

    monkeypatch.setattr(source, "_read", fail)
    err = run("run", "12", "--data", str(log))[2]
    assert (
        err
        == "keras-recs: events.csv: is 'ts' the timestamp? Say --time 'ts' to take it, --time - to go without\n"
    )


def test_a_file_without_header_with_other_signs_and_in_another_encoding_is_read(
    run, log: Path
) -> None:
    first = run(
        "run",
        "4",
        "--data",
        str(log),
        "--user",
        "who",
        "--item",
        "film",
        "--rating",
        "points",
        "--time",
        "moment",
        "--users",
        "0",
        "--json",
    )[1]
    rows = log.read_text().replace("film", "电影").splitlines()[1:]
    log.write_text("\n".join(row.replace(",", ";") for row in rows) + "\n", encoding="gb18030")
    command = ["run", "4", "--data", str(log), "--users", "0", "--json"]
    assert "say --encoding 'latin-1'" in run(*command)[2]
    command += ["--encoding", "gb18030"]
    assert "did you mean --delimiter ';'?" in run(*command)[2]
    command += ["--delimiter", ";"]
    assert "such as --columns user,item,rating,timestamp" in run(*command)[2]
    code, out, _ = run(*command, "--columns", "user, item, rating, timestamp")
    assert code == 0 and json.loads(out)[-1]["metrics"] == json.loads(first)[-1]["metrics"]
    log.with_suffix(".tabs").write_text(
        "\n".join(["user,item,rating,timestamp", *rows]).replace(",", "\t")
    )
    assert (
        run(
            "run",
            "4",
            "--data",
            str(log.with_suffix(".tabs")),
            "--delimiter",
            "\\t",
            "--users",
            "0",
        )[0]
        == 0
    )
    assert "give the file with --data FILE" in run("run", "4", "--delimiter", ";")[2]


def test_the_list_of_commands_has_whole_sentences(run) -> None:
    out = run("--help")[1].partition("Commands:")[2]
    assert (
        "..." not in out
        and "…" not in out
        and "Write an exercise: an answer without its heart." in out
    )


def test_a_file_of_nonsense_is_one_line(run, tmp_path: Path) -> None:
    for name, content in (
        ("empty.csv", b""),
        ("bytes.csv", bytes(range(256)) * 4),
        ("bytes.parquet", b"PAR1 no"),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        code, out, err = run("run", "12", "--data", str(file))
        assert (
            code == 2
            and out == ""
            and err.startswith(f"keras-recs: {name}")
            and err.count("\n") == 1
        )


def test_what_an_answer_needs_is_checked_before_anything_is_loaded(run, monkeypatch) -> None:
    monkeypatch.setattr(source, "_read", lambda *a: pytest.fail("the data were loaded"))
    monkeypatch.setattr(Question, "load", lambda *a: pytest.fail("the answer was imported"))
    code, out, err = run("run", "2", "--dataset", "ml-100k")
    assert (
        code == 2 and "LLMInterestModel needs texts, user_texts, which ml-100k does not have" in err
    )


def test_the_data_sets_hold_what_the_table_says() -> None:
    data = load_cinema()
    assert all(data.has(what) for what in source.HOLDS["cinema"])
    for q, answer in [(built, each) for built in QUESTIONS for each in built.answers]:
        requires = q.load(answer).requires
        assert set(requires) <= source.HOLDS["cinema"]
        assert set(source.lacking(source.Source("a file", Path("a.csv"), {}), q, answer)) == (
            set(requires) - {"ratings", "timestamps"}
        )


@pytest.mark.data
def test_movielens_holds_what_the_table_says(ml100k: Dataset) -> None:
    everything = source.HOLDS["cinema"]
    assert {what for what in everything if ml100k.has(what)} == source.HOLDS["ml-100k"]


# --- leaderboard ---


def test_leaderboard_has_baselines_and_writes_json(run, small_data, tmp_path) -> None:
    file = tmp_path / "rows.json"
    code, out, _ = run("leaderboard", "--questions", "12", "--out", str(file))
    assert code == 0 and "EASE" in out and "popularity" in out
    rows = json.loads(file.read_text())
    assert {
        "question",
        "answer",
        "dataset",
        "protocol",
        "metrics",
        "fit_s",
        "recs_per_s",
        "seed",
    } <= set(rows[0])
    names = {row["answer"] for row in rows}
    assert {"random", "popularity", "EASE"} <= names
    by_name = {row["answer"]: row["metrics"]["ndcg@10"] for row in rows}
    assert by_name["EASE"] > by_name["popularity"] >= 0
    assert (
        json.loads(run("leaderboard", "--questions", "q12,12", "--json")[1])[0]["protocol"] == "P1"
    )


def test_the_default_leaderboard_of_ratings_has_the_answers_that_predict_ratings(
    run, monkeypatch
) -> None:
    monkeypatch.setattr(source, "_read", lambda *a: rated_checkerboard(30))
    rows = json.loads(run("leaderboard", "--protocol", "P3", "--json")[1])
    assert {row["question"] for row in rows} == {None, 4, 5}
    code, out, err = run("leaderboard", "--protocol", "P3", "--questions", "5,8,12", "--json")
    assert code == 0 and {row["question"] for row in json.loads(out)} == {None, 5}
    assert err == "left out, because they do not predict ratings: 8, 12\n"
    assert all("rmse" in row["metrics"] for row in rows)


def test_an_answer_whose_texts_are_lacking_is_left_out(run, small_data) -> None:
    code, out, err = run("leaderboard", "--dataset", "ml-100k", "--questions", "2,12", "--json")
    assert code == 0 and {row["question"] for row in json.loads(out)} == {None, 12}
    assert err == "left out, because ml-100k has no texts, user_texts: LLMInterestModel\n"


def test_a_name_is_the_same_in_the_catalogue_on_the_screens_and_in_python() -> None:
    import keras_recs

    for q in QUESTIONS:
        for answer in q.answers:
            assert getattr(keras_recs, answer.class_name).__name__ == answer.class_name
    assert (
        Answer("ItemCF", {"similarity": "cosine", "recency": 10.0}).name
        == "ItemCF(similarity=cosine, recency=10)"
    )
    with pytest.raises(AttributeError) as raised:
        _ = keras_recs.NueMF  # type: ignore[attr-defined]
    assert (
        raised.value.name == "NueMF" and raised.value.obj is keras_recs
    )  # so that Python names the nearest


# --- devices, assets ---


def test_devices_says_what_was_found(run) -> None:
    code, out, _ = run("devices")
    assert code == 0 and "training uses" in out
    report = json.loads(run("devices", "--json")[1])
    assert report["cpus"] and report["precision"] == "float32"


def test_assets_lists_sizes_licences_and_what_is_here(
    run, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path))
    code, out, _ = run("assets")
    assert code == 0 and "ml-100k" in out and "MB" in out
    assert not any(row["present"] for row in json.loads(run("assets", "--json")[1]))


def test_an_asset_that_cannot_be_had_is_an_error_of_one_kind(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras_recs.data import assets

    def fail(name: str) -> None:
        raise assets.AssetError("no source answered")

    monkeypatch.setattr(assets, "fetch", fail)
    code, out, err = run("assets", "get", "ml-100k")
    assert (code, out, err) == (1, "", "keras-recs: no source answered\n")


# --- a light command, on any console: processes of their own ---


def test_what_needs_no_data_is_light() -> None:
    code = (
        "import sys; from keras_recs.cli import main\n"
        "for argv in (['list'], ['show', '5'], ['show', 'q12', '--language', 'zh'], ['--help'], ['run', '-h']):\n"
        "    sys.argv = ['keras-recs', *argv]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, argv\n"
        "assert not {'numpy', 'scipy', 'tensorflow', 'keras', 'pyarrow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "keras_recs", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("keras-recs, version ")
