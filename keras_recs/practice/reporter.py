"""A pytest plugin that writes what each test found to the file that KERAS_RECS_REPORT names."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import pytest

from keras_recs.practice.defects import Defect


class Reporter:
    """Collects one record a test: name, behaviour in words, outcome, and what went wrong."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            function = getattr(item, "function", None)
            says = (inspect.getdoc(function) or item.name.replace("_", " ")).splitlines()[0]
            case = getattr(item, "callspec", None)
            graded = case.params.get("answer") if case else None
            self.records[item.nodeid] = {
                "test": getattr(item, "originalname", item.name), "says": says, "outcome": "not run", "message": "",
                "shape": item.get_closest_marker("shape") is not None,
                "defect": graded.name if isinstance(graded, Defect) else None}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        record = self.records[report.nodeid]
        if report.when == "call" or report.outcome != "passed":
            record["outcome"] = report.outcome
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            record["message"] = crash.message if crash else str(report.longrepr)

    def pytest_sessionfinish(self) -> None:
        Path(os.environ["KERAS_RECS_REPORT"]).write_text(json.dumps(list(self.records.values())), encoding="utf8")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Reporter())
