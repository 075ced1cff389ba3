"""Hosts and ports, as settings write them."""

from __future__ import annotations

import re
import socket

# A DNS name or, with underscores, that of a container; an IPv4 address looks like one.
_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?", re.ASCII)


def host(text: str) -> str:
    """The text itself, where it names a host.

    Raises:
        ValueError: it cannot; the message says what would.
    """
    if not (_is_name(text) or _is_ipv6(text)):
        raise ValueError("should be a host name or an IP address")
    return text


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of ``HOST:PORT``, an IPv6 address without its brackets.

    Raises:
        ValueError: it has another form; the message says which is wanted.
    """
    name, _, port = text.rpartition(":")
    ipv6 = re.fullmatch(r"\[(.*)\]", name)
    valid = _is_ipv6(ipv6[1]) if ipv6 else _is_name(name)
    if not (valid and re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise ValueError(
            "should be HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:8000 or "
            "[::1]:8000; on 0.0.0.0 it is reached by every IPv4 address of this machine"
        )
    return (ipv6[1] if ipv6 else name), int(port)


def listen(text: str) -> socket.socket:
    """A socket that listens on ``HOST:PORT``.

    Raises:
        OSError: the address cannot be had.
    """
    name, port = host_and_port(text)
    family = socket.AF_INET6 if _is_ipv6(name) else socket.AF_INET
    return socket.create_server((name, port), family=family, backlog=64)


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _is_ipv6(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return False
    return True
