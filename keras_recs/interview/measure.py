"""How long a text takes to say, and which figures it names."""

from __future__ import annotations

import re

#: The most that can be said in 60 seconds: English words, Chinese characters.
LIMITS = {"en": 150, "zh": 240}

_SHOWN = re.compile(r"\$\$[^$]+\$\$")
_FORMULA = re.compile(r"\$[^$]+\$")
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
_LATIN = r"[A-Za-z0-9][A-Za-z0-9_@.\-]*"
# A number that is not part of a name, such as NDCG@10, ML-100K or float32. Chinese may stand right
# beside it.
_FIGURE = re.compile(
    r"(?<![A-Za-z0-9_@.\-])[+\-−]?\d+(?:,\d{3})*(?:\.\d+)?(?![A-Za-z0-9_@]|\.\d|-[A-Za-z])"
)


def spoken(text: str, language: str) -> int:
    """The words of an English text; the characters of a Chinese one, where a Latin word or a number
    counts as one.

    A formula on a line of its own is written, not said; one within a sentence counts as one.

    >>> spoken(r"The bias $b_u$ of **each** user. $$x = 1$$", "en"), spoken("用 ALS 求解 $x_u$。", "zh")
    (6, 5)
    """
    text = _FORMULA.sub(" x ", _SHOWN.sub(" ", text))
    if language == "zh":
        return len(re.findall(rf"{_HAN}|{_LATIN}", text))
    return len(text.split())


def figures(text: str) -> list[str]:
    """The numbers that a text names, outside its formulas and code.

    >>> figures("NDCG@10 is 0.119 on MovieLens-100K, for $k = 64$ and 1,682 films, +3 %.")
    ['0.119', '1,682', '+3']
    >>> figures("测试RMSE是0.914。")
    ['0.914']
    """
    return _FIGURE.findall(re.sub(r"`[^`]+`", " ", _FORMULA.sub(" ", _SHOWN.sub(" ", text))))
