"""What is logged, and what must not be."""

from __future__ import annotations

import json
import logging

import pytest

from app.logs import configure


def test_traceback_tells_no_local_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    configure("INFO")
    try:
        secret = "hunter2".upper()
        raise ValueError(len(secret))
    except ValueError:
        logging.getLogger("here").exception("failed")
    line = capsys.readouterr().err
    assert "HUNTER2" not in line
    assert json.loads(line)["exception"][0]["exc_type"] == "ValueError"
