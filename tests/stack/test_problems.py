"""What nginx answers by itself is told as the application tells its errors."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

import pytest

from tests.stack.stack import Stack

HOST, CHUNKED = "Host: clinic", "Transfer-Encoding: chunked"
BODY_OF_2_MB = "Content-Length: 2000000"
LONG = "a" * 9000


def request(*lines: str) -> bytes:
    """A request of these lines, as it is sent."""
    return "\r\n".join((*lines, "", "")).encode()


REFUSED = {
    "not HTTP": (400, request("HELLO")),
    "no host": (400, request("GET / HTTP/1.1")),
    "bad chunk": (400, request("POST / HTTP/1.1", HOST, CHUNKED, "", "zz")),
    "internal address": (404, request("GET /problem HTTP/1.1", HOST)),
    "trace": (405, request("TRACE / HTTP/1.1", HOST)),
    "long body": (413, request("POST / HTTP/1.1", HOST, BODY_OF_2_MB)),
    "long address": (414, request(f"GET /?{LONG} HTTP/1.1", HOST)),
    "long header": (431, request("GET / HTTP/1.1", HOST, f"Cookie: {LONG}")),
    "transfer encoding": (501, request("POST / HTTP/1.1", HOST, "Transfer-Encoding: other")),
    "version": (505, request("GET / HTTP/3.0", HOST)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_a_problem(stack: Stack, name: str) -> None:
    status, refused = REFUSED[name]
    assert_problem(*exchange(stack, refused), status)


def test_a_clients_own_id_is_kept(stack: Stack) -> None:
    refused = request("POST / HTTP/1.1", HOST, BODY_OF_2_MB, "X-Request-ID: mine")
    answer, body = exchange(stack, refused)
    assert answer.getheader("X-Request-ID") == body["correlation_id"] == "mine"


def test_no_replica_is_a_problem_and_says_when_to_retry(stack: Stack) -> None:
    stack.compose("stop", "app")
    try:
        asked = request("POST /asked?secret HTTP/1.1", HOST, "Content-Length: 0")
        answer, body = exchange(stack, asked)
    finally:
        stack.up()
    assert_problem(answer, body, 503)
    assert answer.getheader("Retry-After") == "1"
    log = stack.compose("logs", "--no-log-prefix", "nginx").stdout
    (line,) = (line for line in log.splitlines() if body["correlation_id"] in line)
    logged = json.loads(line)
    assert (logged["method"], logged["uri"], logged["status"]) == ("POST", "/asked", "503")


def exchange(stack: Stack, sent: bytes) -> tuple[http.client.HTTPResponse, dict[str, Any]]:
    """Send these bytes; return the answer and what its body says."""
    with socket.create_connection(("127.0.0.1", stack.ports["HTTP_PORT"]), timeout=15) as client:
        client.sendall(sent)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        return answer, json.loads(answer.read())


def assert_problem(answer: http.client.HTTPResponse, body: dict[str, Any], status: int) -> None:
    """Check that this is a complete problem, as `app.errors` makes them."""
    assert answer.status == body["status"] == status
    assert answer.getheader("Content-Type") == "application/problem+json"
    assert answer.getheader("X-Request-ID") == body["correlation_id"]
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["code"] == body["title"].lower().replace(" ", "_") or status == 503
    assert body["detail"].endswith(".")
