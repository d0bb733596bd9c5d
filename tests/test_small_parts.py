"""Checks of arguments, the progress bar, recommendations, and what the notebooks use."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import checkerboard

from keras_recs import teaching
from keras_recs.core.recommendations import Recommendations
from keras_recs.utils import checks
from keras_recs.utils.progress import in_notebook, progress


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: checks.whole_number("k", 0), ValueError, "k must be at least 1, got 0"),
        (lambda: checks.whole_number("k", 1.0), TypeError, "k must be a whole number, got 1.0"),
        (lambda: checks.whole_number("k", True), TypeError, "k must be a whole number"),
        (
            lambda: checks.whole_numbers("hidden", -1),
            TypeError,
            "hidden must be several whole numbers.* got -1",
        ),
        (lambda: checks.real_number("reg", "much"), TypeError, "reg must be a number, got 'much'"),
        (lambda: checks.real_number("reg", float("inf")), ValueError, "reg must be finite"),
        (
            lambda: checks.real_number("reg", 0, above=0),
            ValueError,
            "reg must be greater than 0, got 0",
        ),
        (
            lambda: checks.real_number("reg", 2, least=0, most=1),
            ValueError,
            "reg must lie between 0 and 1, got 2",
        ),
        (
            lambda: checks.one_of("kind", "c", ("a", "b")),
            ValueError,
            "kind must be one of 'a', 'b'; got 'c'",
        ),
    ],
)
def test_a_bad_argument_is_named_with_what_came_and_what_was_expected(
    call, error, words: str
) -> None:
    with pytest.raises(error, match=words):
        call()


def test_good_arguments_pass_as_plain_numbers() -> None:
    assert (
        checks.whole_number("k", np.int64(3)) == 3
        and type(checks.whole_number("k", np.int64(3))) is int
    )
    assert checks.real_number("reg", np.float32(0.5), least=0.5) == 0.5
    assert checks.one_of("kind", "a", ("a", "b")) == "a"
    given = (32, 16)
    assert checks.whole_numbers("hidden", given) is given
    assert (
        checks.whole_numbers("hidden", [np.int64(32), 16])
        == given
        == checks.whole_numbers("hidden", (np.int64(32), 16))
    )
    assert all(type(number) is int for number in checks.whole_numbers("hidden", (np.int64(32), 16)))
    with pytest.raises(ValueError, match="hidden must be at least 1, got 0"):
        checks.whole_numbers("hidden", (32, 0))


def test_the_bar_is_silent_where_nobody_watches_and_writes_to_stdout_in_a_notebook(
    capsys, monkeypatch
) -> None:
    assert not in_notebook()
    assert list(progress(range(3), description="work")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    )
    assert in_notebook()
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert list(progress(range(3), description="work")) == [0, 1, 2]
    shown = out.getvalue()
    assert "work" in shown and shown.endswith("\r") and "\n" not in shown, "it wipes itself"


def test_recommendations_leave_fillers_out() -> None:
    lists = Recommendations(
        np.array([7, 9]), np.array([[3, 1], [2, -1]]), np.array([[2, 1], [5, -np.inf]], np.float32)
    )
    assert len(lists) == 2 and lists.valid.tolist() == [[True, True], [True, False]]
    assert lists.of(9) == [(2, 5.0)]
    assert lists.titles(checkerboard(4)) == [["item 3", "item 1"], ["item 2"]]
    with pytest.raises(KeyError, match="user 8 is not among"):
        lists.of(8)


@pytest.fixture
def lists() -> Recommendations:
    """The second list is one item short, the third is empty."""
    return Recommendations(
        np.array(["ann", "bob", "<b>"]),
        np.array([["x", "y"], ["z", ""], ["", ""]]),
        np.array([[2, 1], [5, -np.inf], [-np.inf] * 2], np.float32),
    )


def test_recommendations_are_a_sequence_of_users_with_their_lists(lists: Recommendations) -> None:
    pairs = [("ann", [("x", 2.0), ("y", 1.0)]), ("bob", [("z", 5.0)]), ("<b>", [])]
    assert list(lists) == pairs == [lists[i] for i in range(len(lists))] and dict(lists) == dict(
        pairs
    )
    assert all(
        type(user) is str and all(type(x) in (str, float) for pair in ranked for x in pair)
        for user, ranked in lists
    ), "plain values, which JSON takes"
    assert lists[-1] == pairs[2] and lists[np.int64(1)] == pairs[1]
    rest = lists[1:]
    assert (
        isinstance(rest, Recommendations) and list(rest) == pairs[1:] and rest.items.shape == (2, 2)
    )
    assert list(lists[::-2]) == [pairs[2], pairs[0]] and len(lists[3:]) == 0
    assert lists[:2].users.tolist() == ["ann", "bob"]
    for place in (3, -4):
        with pytest.raises(IndexError):
            lists[place]
    with pytest.raises(
        TypeError, match=r"a place is a whole number or a slice, got 'bob'; of\('bob'\) finds"
    ):
        lists["bob"]
    assert list(Recommendations(np.array([7]), np.array([[3]]), np.array([[1]], np.float32))) == [
        (7, [(3, 1.0)])
    ]


def test_the_only_list_needs_no_name(lists: Recommendations) -> None:
    assert lists[1:2].of() == lists.of("bob") == [("z", 5.0)]
    for several in (lists, lists[:0]):
        with pytest.raises(
            ValueError, match=rf"there are {len(several)} lists: of\(user\) says which"
        ):
            several.of()
    for stranger in ("dan", 7):
        with pytest.raises(KeyError, match=f"user {stranger!r} is not among"):
            lists.of(stranger)


def test_recommendations_become_a_frame_in_long_form(lists: Recommendations, monkeypatch) -> None:
    pytest.importorskip("pandas")
    assert lists.to_frame().to_dict("list") == {
        "user": ["ann", "ann", "bob"],
        "rank": [1, 2, 1],
        "item": ["x", "y", "z"],
        "score": [2.0, 1.0, 5.0],
    }
    assert list(lists[2:].to_frame().columns) == ["user", "rank", "item", "score"], "and no rows"
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        ImportError, match="to_frame needs pandas, which is not installed: pip install pandas"
    ):
        lists.to_frame()


def test_recommendations_are_shown_in_a_few_lines(lists: Recommendations) -> None:
    assert repr(lists).splitlines() == [
        "Recommendations for 3 users, up to 2 items each",
        "  ann: x (2), y (1)",
        "  bob: z (5)",
        "  <b>: nothing left",
    ]
    shown = lists._repr_html_()
    assert (
        shown.count("<tr>") == 4 and "<td>x <small>2</small></td>" in shown and "inf" not in shown
    )
    assert "<b>" not in shown and "&lt;b&gt;" in shown, "an id is no markup"
    many = Recommendations(
        np.arange(100), np.tile(np.arange(50), (100, 1)), np.ones((100, 50), np.float32)
    )
    assert len(repr(many).splitlines()) == 7 and all(
        len(line) < 80 for line in repr(many).splitlines()
    )
    assert len(many._repr_html_()) < 2000
    assert repr(many[:0]) == "Recommendations for 0 users, up to 50 items each"


def test_lists_are_printed_with_titles(capsys) -> None:
    lists = Recommendations(np.array([7]), np.array([[3, 1]]), np.array([[2, 1]], np.float32))
    teaching.show_lists(lists, checkerboard(4))
    assert capsys.readouterr().out == "user 7\n   1   2.00  item 3\n   2   1.00  item 1\n"
    alike = Recommendations(
        np.array([2]), np.array([[3, -1]]), np.array([[0.5, -np.inf]], np.float32), "item"
    )
    teaching.show_lists(alike, checkerboard(4))
    assert capsys.readouterr().out == "item 2\n   1   0.50  item 3\n"


def test_what_is_meant_to_go_wrong_must_go_wrong(capsys) -> None:
    with teaching.goes_wrong():
        raise ValueError("a reason\nin two lines")
    assert capsys.readouterr().out == "ValueError: a reason in two lines\n"
    with pytest.raises(AssertionError, match="did not"), teaching.goes_wrong():
        pass


def test_source_is_shown_without_the_mark_of_the_exercise() -> None:
    pytest.importorskip("IPython")
    from keras_recs.answers import q05_matrix_factorization as q05

    shown = teaching.source(q05.predict, q05.descend).data
    assert (
        shown.startswith("```python\ndef predict(")
        and "def descend(" in shown
        and "@heart" not in shown
    )


def test_the_table_of_defects_lists_the_published_ones() -> None:
    pytest.importorskip("IPython")
    text = teaching.defect_table(5).data
    assert "The step goes up the gradient" in text and "The penalty is left out" not in text
    assert all(line.count("|") == 4 for line in text.splitlines() if line.startswith("|"))
    assert text.startswith("<details>\n<summary>") and text.endswith("</details>"), (
        "folded: it is a solution"
    )
    assert "\n\n| defect |" in text, "after an empty line, Markdown goes on inside of HTML"
