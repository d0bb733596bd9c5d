"""Every planted defect against every test of its question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_recs.practice.grading import run_tests
from keras_recs.questions import Question


def matrix(q: Question) -> list[dict[str, Any]]:
    """One row a defect: the tests that reject it, how many there are, and whether a shape test is
    among them."""
    records = run_tests(q, "--defects", "all", "-m", "not data", seconds=3600)
    tests = {record["test"] for record in records}
    rows = []
    for defect in dict.fromkeys(record["defect"] for record in records if record["defect"]):
        failed = [r for r in records if r["defect"] == defect and r["outcome"] == "failed"]
        rows.append(
            {
                "question": q.number,
                "defect": defect,
                "rejected_by": sorted({r["test"] for r in failed}),
                "tests": len(tests),
                "by_shape": any(r["shape"] for r in failed),
            }
        )
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """How many defects get through: past all tests, and past those that only look at shapes."""
    through = sum(not row["rejected_by"] for row in rows)
    past_shapes = sum(not row["by_shape"] for row in rows)
    return (
        f"{len(rows)} defects: {through} get past the tests, {past_shapes} "
        f"({past_shapes / max(1, len(rows)):.0%}) get past tests that look at shapes only"
    )
