"""What every error of the API has in common."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse


def assert_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check that *response* is this problem, complete and without a traceback; its members."""
    text = response.get_data(as_text=True)
    assert response.status_code == status, text
    assert response.mimetype == "application/problem+json"
    assert "Traceback" not in text
    problem: dict[str, Any] = response.get_json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert problem["correlation_id"] == response.headers["X-Request-ID"]
    if status == 503:
        assert int(response.headers["Retry-After"]) > 0
    return problem
