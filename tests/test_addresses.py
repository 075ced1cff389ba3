"""Hosts and ports as settings write them."""

from __future__ import annotations

import pytest

from app import addresses


@pytest.mark.parametrize(
    "text", ["mysql", "my_db", "db.example", "db.example.", "10.0.0.1", "::1", "a" * 63]
)
def test_hosts(text: str) -> None:
    assert addresses.host(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "a..b", ".a", "my db", "a" * 64, "db:3306", "[::1]", "é.example", "a/b"],
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="should be a host name or an IP address"):
        addresses.host(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:8000", ("::1", 8000)),
        ("[::]:08000", ("::", 8000)),
    ],
)
def test_hosts_with_ports(text: str, parts: tuple[str, int]) -> None:
    assert addresses.host_and_port(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", "here", ":8000", "[]:8000", "::1:8000", "[::1]", "[here]:80", "[10.0.0.1]:80", "[::1:80",
     "a..b:80", "a b:80", "fe80::1%lo:80", "here:", "here:0", "here:65536", "here:+1", "here:٣"],
)  # fmt: skip
def test_what_is_no_host_with_a_port(text: str) -> None:
    with pytest.raises(ValueError, match="should be HOST:PORT"):
        addresses.host_and_port(text)
