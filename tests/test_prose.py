"""Markdown and formulas on a terminal, and consoles that lack the signs."""

from __future__ import annotations

import io
import re
import sys
import unicodedata

import pytest
from rich.cells import cell_len

from keras_recs.cli import streams
from keras_recs.interview import interview
from keras_recs.questions import QUESTIONS
from keras_recs.terminal.formulas import plain
from keras_recs.terminal.prose import render

TEXTS = {
    f"q{q.number:02d}.{language}": interview(q, language).sixty_seconds
    or interview(q, language).coming
    for q in QUESTIONS
    for language in ("en", "zh")
}


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\hat r_{ui} = \mu + b_u", "r̂_ui = μ + b_u"),
        (r"P=(X^\top X+\lambda I)^{-1}", "P = (Xᵀ X+λ I)⁻¹"),
        (r"-\frac{P_{ij}}{P_{jj}}", "-P_ij/P_jj"),
        (
            r"\frac{\sum_v s_{uv}(r_{vi}-b_{vi})}{\delta+\sum_v s_{uv}}",
            "(Σ_v s_uv(r_vi-b_vi))/(δ+Σ_v s_uv)",
        ),
        (r"E^{(k+1)} = \hat A E^{(k)}", "E^(k+1) = A\u0302 E^(k)"),
        (r"D^{-1/2}", "D^(-1/2)"),
        (r"-\log\sigma(s_{ui}-s_{uj})", "-log σ(s_ui-s_uj)"),
        (r"a \log n_i", "a log n_i"),
        (r"a\log n_i", "a log n_i"),
        (r"\sum_{i \in N(u)} x_i^2", "Σ_{i∈N(u)} x_i²"),
        (r"\sqrt{d_k}", "√(d_k)"),
        (r"\text{score} \propto e^{-t/\tau}", "score ∝ e^(-t/τ)"),
        (r"\min(n, \gamma)/\gamma", "min(n, γ)/γ"),
        (r"a \le b \ne c", "a ≤ b ≠ c"),
        (r"\unknown x", "unknown x"),
        ("", ""),
        ("{", ""),
        ("x^", "x^"),
        ("_", "_"),
    ],
)
def test_a_formula_reads_the_same_as_text(latex: str, text: str) -> None:
    assert plain(latex) == text or unicodedata.normalize(
        "NFC", plain(latex)
    ) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("width", [20, 60, 80, 100])
@pytest.mark.parametrize("name", TEXTS)
def test_no_formula_is_broken_and_no_line_is_too_wide(name: str, width: int) -> None:
    lines = render(TEXTS[name], width).plain.split("\n")
    assert not re.search(r"[$\\]|\*\*", "\n".join(lines))
    formulas = [plain(found) for found in re.findall(r"(?<!\$)\$([^$]+)\$(?!\$)", TEXTS[name])]
    for formula in formulas:
        assert any(formula in line for line in lines), formula
    longest = max((cell_len(formula) for formula in formulas), default=0)
    for line in lines:
        if not line.startswith("    "):  # a displayed formula may run over
            assert cell_len(line) <= max(width, longest + 6), line
        assert not re.match(r"[，。、；：？！）”,.;:?!)]", line), (
            f"{line!r} begins with the end of the line before"
        )
        assert line == line.rstrip() and not re.search(r"[（“(]$", line)


def test_markdown_of_every_kind_is_laid_out() -> None:
    text = (
        "A **bold** *nested* word, `code that stays`, a [link](https://example.org).\n\n"
        "- one item that is long enough to need two lines\n2. second\n\n> said\n\n| a | b |\n\n## Heading"
    )
    assert render(text, 30).plain.split("\n") == [
        "A bold nested word,",
        "code that stays, a link.",
        "",
        "- one item that is long enough",
        "  to need two lines",
        "2. second",
        "",
        "said",
        "",
        "| a | b |",
        "",
        "Heading",
    ]
    assert render("", 30).plain == ""


def test_a_displayed_formula_that_is_too_wide_is_parted_between_its_equations_only() -> None:
    text = r"so $$a = b + c + d, \qquad e = f + g + h$$ and on"
    assert render(text, 40).plain.split("\n") == [
        "so",
        "    a = b + c + d,    e = f + g + h",
        "and on",
    ]
    assert render(text, 24).plain.split("\n") == [
        "so",
        "    a = b + c + d,",
        "    e = f + g + h",
        "and on",
    ]
    assert "    a = b + c + d," in render(text, 8).plain.split("\n")


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "★ 0.1–0.2 ✓ ↑ …", "* 0.1-0.2 * ^ ..."),
        (
            "ascii",
            "r\u0302_ui = p_uᵀ q_i, O(n²), P⁻¹, 10⁻¹²",
            "r_ui = p_u^T q_i, O(n^2), P^-1, 10^-12",
        ),
        ("ascii", "λ μ Σ ≤ é ﬁ", "lambda mu sum <= e fi"),
        ("ascii", "中文，好", "????, ??"),
        ("gbk", "✓ 中文 ★ – r\u0302 ᵀ", "* 中文 ★ – r ^T"),
        ("latin-1", "é ² …", "é ² ..."),
        ("utf-8", "★ 中文 \ud800", "★ 中文 ?"),
    ],
)
def test_a_console_shows_the_nearest_that_it_has(
    encoding: str, text: str, shown: str, monkeypatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding))
    streams.prepare()
    print(text, end="", flush=True)
    assert raw.getvalue().decode(encoding) == shown


def test_missing_streams_swallow_what_is_printed(monkeypatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    streams.prepare()
    print("nobody reads this")
    streams.flush()
    for stream in (sys.stdout, sys.stderr):
        stream.close()
