"""How many planted defects get past the tests: `python benchmarks/defects.py` counts what
`keras-recs bughunt --report` shows; many minutes.

    python benchmarks/defects.py 5        of one question
    python benchmarks/defects.py --keep   of all, into benchmarks/results/defects.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import results

from keras_recs.practice.matrix import matrix, summary
from keras_recs.questions import QUESTIONS, question


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the READMEs say of all defects.

    Args:
        rows: one a defect, as `keras_recs.practice.matrix.matrix` makes them.
    """
    past_shapes = sum(not row["by_shape"] for row in rows)
    return {
        "planted": len(rows),
        "past_all_tests": sum(not row["rejected_by"] for row in rows),
        "past_tests_of_shapes": past_shapes,
        "share_past_tests_of_shapes": round(past_shapes / max(1, len(rows)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", type=int, nargs="*", help="of these questions only")
    results.option(parser)
    asked = parser.parse_args()
    if asked.keep and asked.questions:
        parser.error("--keep is for all questions")
    questions = [question(number) for number in asked.questions]
    rows = [row for q in questions or [q for q in QUESTIONS if q.built] for row in matrix(q)]
    print(summary(rows))
    written_by = "keras-recs bughunt --report"
    results.keep("defects", [counts(rows)], asked.keep, written_by=written_by)


if __name__ == "__main__":
    main()
