"""Certificates and the signing key: whose, for which names, and until when."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from controls import Verdict, accepted, control, failed, holds, passed
from facts import Database, run

SIGNING_KEY = Path("/etc/apt/keyrings/mysql.asc")
SOURCE = Path("/etc/apt/sources.list.d/poolsight-mysql.list")
DAY = 86400
LEFT, KEY_LEFT = 30, 60  # days
RENEW = "`sudo vm-setup/host/secrets.sh` and then `sudo vm-setup/host/mysql.sh` renew it."


def _file(database: Database, name: str) -> str:
    return str(Path(database.variables["datadir"]) / database.variables[name])


def _told(path: str, *what: str) -> str:
    return run("openssl", "x509", "-noout", "-in", path, *what)


def days_left(end: str, now: float) -> int:
    """Days until *end*, as openssl prints it: ``notAfter=Nov 26 12:00:00 2027 GMT``."""
    text = end.partition("=")[2].strip()
    then = datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    return int((then.timestamp() - now) // DAY)


@control("cis-2.6", "The certificate is this machine's own, and not what MySQL makes itself", RENEW)
def certificate_is_own(database: Database) -> Verdict:
    """Nobody can verify MySQL's."""
    path = _file(database, "ssl_cert")
    subject = _told(path, "-subject").strip()
    return holds("Auto_Generated" not in subject, f"{path}: {subject}")


@control("own-certificate", f"The certificate is good, for names, and for {LEFT} days more", RENEW)
def certificate_is_good(database: Database) -> Verdict:
    """Signed by the authority that clients trust."""
    path, authority = _file(database, "ssl_cert"), _file(database, "ssl_ca")
    run("openssl", "verify", "-CAfile", authority, path)
    names = "".join(_told(path, "-ext", "subjectAltName").splitlines()[1:]).strip()
    left = min(days_left(_told(each, "-enddate"), time.time()) for each in (path, authority))
    return holds(bool(names) and left > LEFT, f"{left} days more, for {names or 'no names'}")


def key_left(listing: str, now: float) -> int | None:
    """Days until a key ends, of what gpg says of it with colons; None for never."""
    fields = next(line for line in listing.splitlines() if line.startswith("pub:")).split(":")
    return int((float(fields[6]) - now) // DAY) if fields[6] else None


@control(
    "own-signing-key",
    f"The key that signs MySQL's packages is good for {KEY_LEFT} days more",
    "Put its successor's address and fingerprint into vm-setup/host/mysql.sh, and run it.",
)
def signing_key_is_good(_: Database) -> Verdict:
    """Without it apt refuses updates."""
    if SOURCE.exists() and str(SIGNING_KEY) not in SOURCE.read_text():
        return accepted("MySQL comes from a source with a key of its own.", f"see {SOURCE}")
    listing = run("gpg", "--batch", "--show-keys", "--with-colons", str(SIGNING_KEY))
    left = key_left(listing, time.time())
    if left is None:
        return passed("it does not end")
    return holds(left > KEY_LEFT, f"{left} days more") if left >= 0 else failed("it has ended")
