"""A killed migration converges. The drill does this for all revisions and boundaries, on MySQL."""

from __future__ import annotations

import pytest

from tests.migrations.conftest import Make
from tests.migrations.crashes import matrix

SOME = range(1, 1000, 9)


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_a_killed_contraction_converges(migrated: Make, direction: str) -> None:
    schema = migrated("0004", patients=20)
    found = matrix(schema, "0005", "0004", SOME, direction)
    assert found["wrong"] == []
    assert found["boundaries"] > 3
