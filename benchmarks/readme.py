"""Tables of this run into benchmarks/README.md, between marks that name the script that made
them."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).resolve().parent / "README.md"


def put(name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`; a ValueError where the
    marks are not."""
    opening, closing = f"<!-- benchmarks/{name}.py -->", f"<!-- /benchmarks/{name}.py -->"
    document = README.read_text(encoding="utf8")
    if document.count(opening) != 1 or document.count(closing) != 1:
        raise ValueError(
            f"{README.parent.name}/README.md must have {opening} and {closing} once each"
        )
    before, rest = document.split(opening)
    after = rest.split(closing)[1]
    README.write_text(f"{before}{opening}\n{text}\n{closing}{after}", encoding="utf8")
