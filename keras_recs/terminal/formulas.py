"""Formulas as one line of text, for screens that have no typesetting."""

from __future__ import annotations

import re
from collections.abc import Iterator

_GREEK = {
    name: letter
    for name, letter in zip(
        "alpha beta gamma delta epsilon eta theta kappa lambda mu nu pi rho sigma tau phi chi psi omega "
        "Gamma Delta Theta Lambda Sigma Phi Psi Omega".split(),
        "αβγδεηθκλμνπρστφχψωΓΔΘΛΣΦΨΩ",
        strict=True,
    )
}
#: What stands with a blank on either side, whether the source has one or not.
_RELATIONS = {
    "ge": "≥",
    "geq": "≥",
    "le": "≤",
    "leq": "≤",
    "ne": "≠",
    "neq": "≠",
    "approx": "≈",
    "propto": "∝",
    "sim": "~",
    "in": "∈",
    "notin": "∉",
    "mid": "|",
    "to": "→",
    "leftarrow": "←",
    "rightarrow": "→",
    "longrightarrow": "→",
    "mapsto": "↦",
    "preceq": "≼",
    "ll": "≪",
    "gg": "≫",
    "equiv": "≡",
    "subset": "⊂",
    "cup": "∪",
    "cap": "∩",
    "setminus": "∖",
    "pm": "±",
}
_SIGNS = {
    "cdot": "·",
    "times": "×",
    "odot": "⊙",
    "infty": "∞",
    "partial": "∂",
    "nabla": "∇",
    "ell": "ℓ",
    "top": "ᵀ",
    "dots": "…",
    "ldots": "…",
    "cdots": "…",
    "langle": "⟨",
    "rangle": "⟩",
    "lVert": "‖",
    "rVert": "‖",
    "Vert": "‖",
    "|": "‖",
    "lvert": "|",
    "rvert": "|",
    "circ": "∘",
    "star": "*",
    "ast": "*",
    "prime": "′",
    "quad": "  ",
    "qquad": "    ",
    " ": " ",
    ",": " ",
    ";": " ",
    ":": " ",
    "!": "",
    "\\": "\n",
    "%": "%",
    "{": "{",
    "}": "}",
    "_": "_",
    "$": "$",
    "#": "#",
}
_FUNCTIONS = {
    name: name for name in "log exp cos sin tanh min max argmin argmax Pr det tr rank dim".split()
}
_FUNCTIONS |= {"sum": "Σ", "prod": "Π", "int": "∫"}
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "vec": "\u20d7", "dot": "\u0307"}
#: Commands that say how their argument looks, and nothing else.
_LOOKS = {
    "text",
    "mathrm",
    "mathcal",
    "mathbb",
    "mathbf",
    "boldsymbol",
    "operatorname",
    "boxed",
    "underbrace",
    "overline",
    "mathit",
    "textbf",
}
#: Commands without an argument that only look.
_NOTHING = {
    "left",
    "right",
    "big",
    "Big",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "bigg",
    "Bigg",
    "textstyle",
    "displaystyle",
    "limits",
    "nolimits",
    "middle",
}
_RAISED = str.maketrans("0123456789+-ᵀ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀ")
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.S)
# needs no brackets under a fraction line
_SIMPLE = re.compile(r"[\w.′ᵀ\u0302-\u0304²³⁻¹]+(\([^()]*\))?")


def plain(formula: str) -> str:
    r"""A LaTeX formula, without its dollars, as text that reads the same.

    >>> plain(r"\hat r_{ui} = \mu + b_u + c_i + p_u^\top q_i")
    'r̂_ui = μ + b_u + c_i + p_uᵀ q_i'
    >>> plain(r"W_{ij}=-\frac{P_{ij}}{P_{jj}}\ (i\ne j), \qquad P=(X^\top X+\lambda I)^{-1}")
    'W_ij = -P_ij/P_jj (i ≠ j),    P = (Xᵀ X+λ I)⁻¹'
    >>> plain(r"\log\frac{P(i\mid u)}{k\,q_i}")
    'log(P(i | u)/(k q_i))'
    """
    return _tidy(_sequence(iter(_TOKEN.findall(formula)), None))


def _tidy(text: str) -> str:
    # scripts stay tight, relations have a blank on either side
    text = re.sub(
        r"_\{[^}]*\}|\^\([^)]*\)| ?([=≥≤≠≈∝∈∉→←↦≼≪≫≡~]) ?",
        lambda found: f" {found[1]} " if found[1] else found[0],
        text,
    )
    text = re.sub(r"\( +| +\)", lambda found: found[0].strip(), text)
    text = re.sub(r"(?<=\S) {1,2}(?! )", " ", text)
    text = re.sub(r" {3,}", "    ", text)  # the gap between two formulas
    return re.sub(r" +([,.;])", r"\1", text).strip()


def _sequence(tokens: Iterator[str], end: str | None) -> str:
    """What the tokens say, up to `end`."""
    out: list[str] = []
    after_function = False
    for token in tokens:
        if token == end:
            break
        said = _one(token, tokens)
        if token.startswith("\\") and token[1:] in ("frac", "tfrac", "dfrac") and after_function:
            said = f"({said})"
        if after_function and said[:1] not in (" ", "(", "_", "^", "", "ᵀ", "⁻", "²"):
            said = f" {said}"
        if token[1:] in _FUNCTIONS and out and out[-1][-1:].isalnum():
            said = f" {said}"
        script = token in ("_", "^")
        after_function = token[1:] in _FUNCTIONS or (
            after_function and (script or not said.strip())
        )
        out.append(said)
    return "".join(out)


def _one(token: str, tokens: Iterator[str]) -> str:
    """What one token says, with the arguments that it takes from `tokens`."""
    if token == "{":
        return _sequence(tokens, "}")
    if token == "_":
        below = _tight(_argument(tokens))
        if not below:
            return token
        return f"_{below}" if re.fullmatch(r"\w+", below) else f"_{{{below}}}"
    if token == "^":
        return _raised(_tight(_argument(tokens)))
    if token.isspace():
        return " "
    if token == "&":
        return ""
    if not token.startswith("\\"):
        return token
    name = token[1:]
    if name in ("frac", "tfrac", "dfrac"):
        return f"{_bracketed(_argument(tokens))}/{_bracketed(_argument(tokens))}"
    if name == "sqrt":
        return f"√({_argument(tokens)})"
    if name in _ACCENTS:
        under = _argument(tokens)
        return under[:1] + _ACCENTS[name] + under[1:]
    if name in _LOOKS:
        return _argument(tokens)
    if name in ("begin", "end"):
        _argument(tokens)  # the name of the environment
        return ""
    if name in _NOTHING:
        return ""
    if name in _RELATIONS:
        return f" {_RELATIONS[name]} "
    return {**_GREEK, **_SIGNS, **_FUNCTIONS}.get(name, name)


def _argument(tokens: Iterator[str]) -> str:
    """The next token or group."""
    for token in tokens:
        if not token.isspace():
            return _one(token, tokens).strip()
    return ""


def _tight(text: str) -> str:
    return re.sub(r" *([=∈≠≤≥+|<>-]) *", r"\1", text)


def _raised(text: str) -> str:
    if not text:
        return "^"
    if re.fullmatch(r"[-+]?[\dᵀ]+", text):
        return text.translate(_RAISED)
    return f"^{text}" if re.fullmatch(r"\w|\(.*\)|\*", text) else f"^({text})"


def _bracketed(text: str) -> str:
    return text if _SIMPLE.fullmatch(text) else f"({text})"
