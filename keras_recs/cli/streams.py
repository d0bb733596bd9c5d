"""Standard output and error that take every sign, on any console, and end quietly when nobody reads
on."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import unicodedata

#: What stands for a sign that the console cannot show. Other letters lose their accents, and the
#: rest is a "?".
_INSTEAD = {
    "★": "*",
    "✓": "*",
    "✗": "x",
    "●": "*",
    "○": "o",
    "–": "-",
    "—": "-",
    "…": "...",
    "·": "*",
    "×": "x",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "∈": " in ",
    "∝": "~",
    "Σ": "sum",
    "Π": "prod",
    "√": "sqrt",
    "∞": "inf",
    "‖": "||",
    "−": "-",
    "⟨": "<",
    "⟩": ">",
    "∂": "d",
    "⊙": "*",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "′": "'",
    "ᵀ": "^T",
    "⁻": "^-",
    "⁺": "^+",
    "\u00a0": " ",
    "，": ", ",
    "。": ". ",
    "：": ": ",
    "；": "; ",
    "？": "? ",
    "！": "! ",
    "（": " (",
    "）": ") ",
}
ASCII = "ascii_console"
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"


def prepare() -> None:
    """Make the standard streams ready: what a console cannot show is replaced, and a missing stream
    swallows all."""
    codecs.register_error("keras_recs", replaced)
    codecs.register(_ascii_console)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf8"))  # noqa: SIM115  (it lives as long as we do)
        elif hasattr(stream, "reconfigure"):
            is_ascii = codecs.lookup(stream.encoding or "utf8").name == "ascii"
            stream.reconfigure(encoding=ASCII if is_ascii else None, errors="keras_recs")


def _ascii_console(name: str) -> codecs.CodecInfo | None:
    """ASCII by another name: click takes a stream of that name for a mistake, and writes UTF-8 into
    it."""
    if name.replace("-", "_") != ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        plain.streamreader,
        plain.streamwriter,
        plain.incrementalencoder,
        plain.incrementaldecoder,
        name=ASCII,
    )


def replaced(error: UnicodeError) -> tuple[str, int]:
    """The error handler: signs that the console's encoding has stand for those that it has not."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(
        _sign(error.object, at, error.encoding) for at in range(error.start, error.end)
    ), error.end


def _sign(text: str, at: int, encoding: str) -> str:
    sign = text[at]
    if sign in _RAISED:  # O(n²) is O(n^2)
        digit = _INSTEAD.get(sign, unicodedata.normalize("NFKD", sign))[-1]
        return digit if at and text[at - 1] in _RAISED else f"^{digit}"
    if sign in _INSTEAD:
        return _INSTEAD[sign]
    if unicodedata.combining(sign):
        return ""
    name = unicodedata.name(sign, "").split()
    if name[:1] == ["GREEK"]:
        return name[-1].lower().replace("lamda", "lambda")
    for plainer in (unicodedata.normalize("NFC", sign), unicodedata.normalize("NFKD", sign)):
        kept = "".join(part for part in plainer if not unicodedata.combining(part))
        with contextlib.suppress(UnicodeEncodeError):
            kept.encode(encoding)
            return kept
    # as wide as what it stands for
    return "??" if unicodedata.east_asian_width(sign) in "WF" else "?"


def flush() -> None:
    """Write out what is left, while errors can still be told."""
    sys.stdout.flush()
    sys.stderr.flush()


def abandon() -> None:
    """Write out what can be written. Where nobody reads any more, or the disk is full, the rest
    goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
