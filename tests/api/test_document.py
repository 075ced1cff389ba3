"""The OpenAPI document: valid, browsable, and true when the API is fuzzed over it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient

from tests.api.serving import Served

DOCUMENT = "/api/v1/openapi.json"
# That what the document allows is accepted is not asked: it cannot say which texts are cursors.
ALL_BUT = "positive_data_acceptance"
EXAMPLES = 15  # of each operation


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(DOCUMENT).get_json()
    return found


def test_it_is_valid(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'#/components/(\w+)/(\w+)'", str(document)))
    assert references
    for kind, name in references:
        assert name in document["components"][kind]


def test_it_names_every_operation(app: Flask, document: dict[str, Any]) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served = {
        (method, re.sub(r"<(?:int:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.rule != DOCUMENT
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert documented == served


def test_it_can_be_browsed_without_other_sites(client: FlaskClient) -> None:
    page = client.get("/api/docs/")
    assert DOCUMENT in page.text
    assert '"validatorUrl": null' in page.text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    for source in sources:
        assert source.startswith("/api/docs/")
        answer = client.get(source)
        assert answer.status_code == 200
        answer.close()


def test_fuzzing_finds_no_5xx_and_nothing_undocumented(served: Served, tmp_path: Path) -> None:
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"{served.url}{DOCUMENT}",
            *("--exclude-checks", ALL_BUT, "--max-examples", str(EXAMPLES)),
            *("--seed", "1", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Tested: 15" in found.stdout
