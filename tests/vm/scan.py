"""Which TCP ports of an address answer: all 65,535 are tried.

python -m tests.vm.scan 192.168.0.2
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

AT_ONCE = 2_000  # sockets; with more, an emulated machine misses some that it would answer
PATIENCE = 3.5  # seconds, in which the first attempt is repeated by the kernel after 1 and 3


@dataclass(frozen=True)
class Scan:
    """What came of it. A silent port is one that a firewall drops."""

    address: str
    open: list[int]
    refused: int
    silent: int
    unreachable: int
    seconds: float


async def scan(address: str, ports: range = range(1, 65536), at_once: int = AT_ONCE) -> Scan:
    """Try to connect to each port of `address`."""
    began = time.monotonic()
    slots = asyncio.Semaphore(at_once)
    found: list[int] = []
    outcomes: Counter[str] = Counter()

    async def probe(port: int) -> None:
        async with slots:
            outcome = await _connect(address, port)
        outcomes[outcome] += 1
        if outcome == "open":
            found.append(port)

    await asyncio.gather(*(probe(port) for port in ports))
    seconds = round(time.monotonic() - began, 1)
    refused, silent = outcomes["refused"], outcomes["silent"]
    return Scan(address, sorted(found), refused, silent, outcomes["unreachable"], seconds)


async def _connect(address: str, port: int) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "unreachable"
    writer.transport.abort()
    return "open"


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, AT_ONCE + 200), most))
    print(json.dumps(asdict(asyncio.run(scan(sys.argv[1])))))  # noqa: T201
