"""A clock for machines that reach none: SNTP's server side, as in section 5 of RFC 4330.

python -m tests.vm.clock 192.168.77.1
"""

from __future__ import annotations

import socket
import struct
import sys
import time

PORT = 123
SINCE_1900 = 2_208_988_800  # seconds, from NTP's epoch to Unix's
SERVER = 0b00_100_100  # no leap second, version 4, mode "server"
PACKET = struct.Struct("!BBbbII4sQQQQ")


def answer(question: bytes, now: float) -> bytes:
    """Return the answer to a client's packet, at `now`, seconds since 1970."""
    asked_at = PACKET.unpack(question[: PACKET.size])[-1]  # comes back, so that it knows its own
    stamp = int((now + SINCE_1900) * 2**32)
    stratum, poll, precision, delay, dispersion = 1, 4, -20, 0, 1
    return PACKET.pack(
        SERVER, stratum, poll, precision, delay, dispersion, b"LOCL", stamp, asked_at, stamp, stamp
    )


def serve(address: str) -> None:
    """Answer, for as long as this runs."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((address, PORT))
        while True:
            question, who = wire.recvfrom(512)
            if len(question) >= PACKET.size:
                wire.sendto(answer(question, time.time()), who)


if __name__ == "__main__":
    serve(sys.argv[1])
