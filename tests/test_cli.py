"""The command `keras-recs`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from conftest import checkerboard, rated_checkerboard

from keras_recs import cli


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_load", lambda *a: checkerboard(30))


def test_list_shows_all_24_in_both_languages(run) -> None:
    code, out, err = run("list")
    assert code == 0 and err == ""
    assert "Write matrix factorisation from scratch" in out and "从零实现矩阵分解推荐" in out
    assert out.count("not yet") == 24 - sum(bool(row["answers"]) for row in json.loads(run("list", "--json")[1]))
    rows = json.loads(run("list", "--json")[1])
    assert [row["number"] for row in rows] == list(range(1, 25))
    assert rows[4]["built"] and rows[4]["stem"] == "q05_matrix_factorization"


def test_show_tells_the_question_and_where_its_files_are(run) -> None:
    code, out, _ = run("show", "12")
    assert code == 0
    for words in ("Sarwar", "EASE", "notebooks/q12_item_cf.ipynb", "keras-recs run 12"):
        assert words in out
    assert json.loads(run("show", "5", "--json")[1])["protocol"] == "P3"
    assert "not answered yet" in run("show", "24")[1]


@pytest.mark.parametrize(("arguments", "words"), [
    (["show", "25"], "'25' is not the number of a question; they go from 1 to 24"),
    (["show", "five"], "'five' is not the number of a question"),
    (["run", "24"], "question 24 is not answered yet; these are: 2, 4, 5, "),
    (["run", "12", "--answer", "SVD"], "question 12 has no answer 'SVD'; it has: ItemCF, EASE"),
    (["run", "5", "--dataset", "netflix"], "'netflix' is not one of"),
    (["run", "5", "--k", "0"], "0 is not in the range"),
    (["leaderboard", "--protocol", "P9"], "'P9' is not one of"),
    (["leaderboard", "--questions", "5,99"], "'99' is not the number"),
    (["leaderboard", "--questions", "5,24"], "question 24 is not answered yet"),
    (["assets", "get", "imagenet"], "there is no asset 'imagenet'; there are: "),
    (["frobnicate"], "No such command 'frobnicate'"),
    (["list", "--colour"], "No such option"),
])
def test_a_wrong_argument_is_one_clear_line_and_code_2(run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == ""
    assert words in err and err.startswith("keras-recs: ") and err.count("\n") == 1


def test_run_fits_measures_and_recommends_with_titles(run, small_data) -> None:
    code, out, _ = run("run", "12", "--users", "2", "--k", "3", "--answer", "EASE")
    assert code == 0
    assert "EASE" in out and "ndcg@3" in out and "95 % interval" in out
    assert "user 0" in out and "user 1" in out and "user 2" not in out and "item " in out
    (result,) = json.loads(run("run", "12", "--json", "--k", "3", "--answer", "EASE")[1])
    assert result["question"] == 12 and result["protocol"] == "P1"
    low, high = result["intervals"]["ndcg@3"]
    assert 0 <= low <= result["metrics"]["ndcg@3"] <= high <= 1
    assert all(len(row["items"]) == len(row["titles"]) <= 3 for row in result["recommendations"])


def test_run_of_a_rating_answer_shows_rmse(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_load", lambda *a: rated_checkerboard(30))
    (result,) = json.loads(run("run", "5", "--json")[1])
    assert result["protocol"] == "P3" and 0 < result["metrics"]["rmse"] < 2.1


def test_leaderboard_has_baselines_and_writes_json(run, small_data, tmp_path) -> None:
    file = tmp_path / "rows.json"
    code, out, _ = run("leaderboard", "--questions", "12", "--json", str(file))
    assert code == 0 and "EASE" in out and "popularity" in out
    rows = json.loads(file.read_text())
    assert {"question", "answer", "dataset", "protocol", "metrics", "fit_s", "recs_per_s", "seed"} <= set(rows[0])
    names = {row["answer"] for row in rows}
    assert {"random", "popularity", "EASE"} <= names
    by_name = {row["answer"]: row["metrics"]["ndcg@10"] for row in rows}
    assert by_name["EASE"] > by_name["popularity"] >= 0
    assert json.loads(run("leaderboard", "--questions", "12", "--json", "-")[1])[0]["protocol"] == "P1"


def test_the_default_leaderboard_of_ratings_has_the_answers_that_predict_ratings(run, monkeypatch) -> None:
    monkeypatch.setattr(cli, "_load", lambda *a: rated_checkerboard(30))
    rows = json.loads(run("leaderboard", "--protocol", "P3", "--json", "-")[1])
    assert {row["question"] for row in rows} == {None, 4, 5}
    code, out, err = run("leaderboard", "--protocol", "P3", "--questions", "5,8,12", "--json", "-")
    assert code == 0 and {row["question"] for row in json.loads(out)} == {None, 5}
    assert err == "left out, because they do not predict ratings: 8, 12\n"
    assert all("rmse" in row["metrics"] for row in rows)


def test_an_answer_whose_texts_are_lacking_is_left_out_or_refused_in_one_line(run, monkeypatch) -> None:
    monkeypatch.setattr(cli, "_load", lambda *a: checkerboard())
    code, out, err = run("leaderboard", "--dataset", "ml-100k", "--questions", "2,12", "--json", "-")
    assert code == 0 and {row["question"] for row in json.loads(out)} == {None, 12}
    assert err == "left out, because ml-100k has no texts, user_texts: LLMInterestModel\n"
    code, out, err = run("run", "2", "--dataset", "ml-100k")
    assert code == 2 and "LLMInterestModel needs texts, user_texts, which ml-100k does not have" in err


def test_devices_says_what_was_found(run) -> None:
    code, out, _ = run("devices")
    assert code == 0 and "training uses" in out
    report = json.loads(run("devices", "--json")[1])
    assert report["cpus"] and report["precision"] == "float32"


def test_assets_lists_sizes_licences_and_what_is_here(run, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path))
    code, out, _ = run("assets")
    assert code == 0 and "ml-100k" in out and "MB" in out
    assert not any(row["present"] for row in json.loads(run("assets", "--json")[1]))


def test_an_asset_that_cannot_be_had_is_an_error_of_one_kind(run, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras_recs.data import assets

    def fail(name: str) -> None:
        raise assets.AssetError("no source answered")

    monkeypatch.setattr(assets, "fetch", fail)
    code, out, err = run("assets", "get", "ml-100k")
    assert (code, out, err) == (1, "", "keras-recs: no source answered\n")


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "keras_recs", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("keras-recs, version ")
