"""``make revision``: where models and migrations agree, it finds nothing to write."""

from __future__ import annotations

import pytest

from tests.revision import ROOT, main


def test_nothing_is_written_where_nothing_changed() -> None:
    versions = ROOT / "migrations/versions"
    before = sorted(versions.glob("*.py"))
    assert main("nothing") == 0
    assert sorted(versions.glob("*.py")) == before


def test_a_revision_needs_a_message() -> None:
    with pytest.raises(SystemExit, match="needs a message"):
        main("")
