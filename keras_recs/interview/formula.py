"""Formulas as plain text: `$\\hat r_{ui}$` becomes r̂_ui.

Covers what the texts use: letters, sub- and superscripts, fractions, hats, sums, the usual operators. A command
that is not known becomes its name, so that nothing of a formula is lost.
"""

from __future__ import annotations

import re
import unicodedata

#: Commands that stand for one sign.
_SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "lambda": "λ", "mu": "μ",
    "nu": "ν", "pi": "π", "sigma": "σ", "tau": "τ", "theta": "θ", "Delta": "Δ", "Lambda": "Λ", "Sigma": "Σ",
    "top": "⊤", "cdot": "·", "odot": "⊙", "langle": "⟨", "rangle": "⟩", "infty": "∞", "ldots": "…", "dots": "…",
    "{": "{", "}": "}", "%": "%", "|": "‖", "lVert": "‖", "rVert": "‖",
}
#: Signs with a space on either side, as commands and as they are.
_RELATIONS = {
    "times": "×", "pm": "±", "leftarrow": "←", "to": "→", "rightarrow": "→", "in": "∈", "notin": "∉", "propto": "∝",
    "cap": "∩", "cup": "∪", "mid": "|", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "approx": "≈",
    "=": "=", "+": "+", "-": "−", "<": "<", ">": ">",
}
#: Operators that are written out, or have a sign, and want a space before a letter.
_OPERATORS = {"log": "log", "exp": "exp", "min": "min", "max": "max", "sum": "Σ", "prod": "Π"}
#: Spaces, and commands that only change the look.
_SPACES = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "quad": "  ", "qquad": "  "}
_LOOK = {"left", "right", "big", "Big", "bigl", "bigr", "text", "mathrm", "mathbf", "operatorname", "displaystyle"}
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
#: Superscripts that have signs of their own; all others are written with ^.
_RAISED = {"2": "²", "3": "³", "⊤": "ᵀ", "T": "ᵀ", "−1": "⁻¹", "−⊤": "⁻ᵀ"}

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)


def formula(latex: str) -> str:
    """LaTeX, without its dollars, as one line of plain text.

    >>> formula(r"\\hat r_{ui} = \\mu + b_u + p_u^\\top q_i")
    'r̂_ui = μ + b_u + p_uᵀ q_i'
    >>> formula(r"-\\log\\frac{m}{1-m}")
    '−log(m/(1 − m))'
    """
    tokens = [token for token in _TOKEN.findall(latex) if not token.isspace()]
    text = _Reader(tokens).group(None)
    return unicodedata.normalize("NFC", re.sub(" {3,}", "  ", text)).strip()


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def group(self, closing: str | None) -> str:
        """Everything up to the token `closing` (None: the end), which is passed over."""
        out = ""
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token == closing:
                self.at += 1
                break
            out = self._add(out)
        return out

    def argument(self) -> str:
        """What a command or a script takes: a group in braces, or the next token."""
        if self.at >= len(self.tokens):
            return ""
        if self.tokens[self.at] == "{":
            self.at += 1
            return self.group("}")
        return self._add("").strip()

    def _add(self, out: str) -> str:
        """`out` and the next token, with the space that belongs between them."""
        token = self.tokens[self.at]
        self.at += 1
        name = token[1:] if token.startswith("\\") else token
        if token in ("^", "_"):
            return _script(out, token, self.argument())
        if token == "{":
            return out + self.group("}")
        if token == ",":
            return out.rstrip() + ", "
        if name in _RELATIONS and token not in ("\\=", "\\+", "\\-"):
            unary = name in ("-", "+", "pm") and (not out.strip() or out.rstrip()[-1] in "([{,=+−×←∈|/⟨<>")
            return out + _RELATIONS[name] if unary else out.rstrip() + f" {_RELATIONS[name]} "
        if not token.startswith("\\"):
            return _beside(out, token)
        if name == "frac":
            fraction = f"{_bracketed(self.argument())}/{_bracketed(self.argument())}"
            return out + f"({fraction})" if _OPERATOR.search(out) else _beside(out, fraction)
        if name in _ACCENTS:
            inner = self.argument()
            return _beside(out, inner[:1] + _ACCENTS[name] + inner[1:])
        if name == "sqrt":
            return _beside(out, "√" + _bracketed(self.argument()))
        if name in _LOOK:
            return out
        if name in _SPACES:
            return out + _SPACES[name]
        if name in _OPERATORS:
            return _spaced(out) + _OPERATORS[name]
        return _beside(out, _SIGNS.get(name, name))


#: A function or a sum, with its scripts, at the end.
_OPERATOR = re.compile(r"(?:\b(?:log|exp|min|max)|[ΣΠ](?:_\w+|_\([^ ]*\))?)$")
#: A term with a script at the end: what follows would be read as part of it.
_SCRIPTED = re.compile(r"[_^][^\s(/|]*(?:\([^\s]*\))?$")


def _beside(out: str, text: str) -> str:
    """`out` and a term, apart where the term would be read as part of what stands before it."""
    if (operator := _OPERATOR.search(out)) and text[:1] not in ")]/":
        function = operator[0].isalpha()
        return out + ("" if function and text == "(" else " ") + text
    apart = _SCRIPTED.search(out) and text[:1].isalpha()
    return out + (" " if apart else "") + text


def _spaced(out: str) -> str:
    """`out`, with a space where a word follows a letter, a digit or a bracket."""
    return out + (" " if out and (out[-1].isalnum() or out[-1] in ")]}ᵀ²³") else "")


def _script(out: str, mark: str, inner: str) -> str:
    """A sub- or superscript, tight: _ui, _(i∈N(u)), ², ᵀ, ^(k+1)."""
    tight = inner.replace(" ", "")
    if mark == "^" and tight in _RAISED:
        return out + _RAISED[tight]
    simple = tight.isalnum() or re.fullmatch(r"\(.*\)", tight)
    return out + mark + (tight if simple else f"({tight})")


def _bracketed(text: str) -> str:
    """In brackets unless it is a single term."""
    text = text.strip()
    return f"({text})" if " " in text else text
