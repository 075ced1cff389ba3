"""What no command can tell, and what does not apply here: accepted, each with its reason."""

from __future__ import annotations

from functools import partial

from controls import Verdict, accepted, control
from facts import Database

# id, title, what takes its place or the evidence, the reason
JUDGED = (
    ("cis-2.1.6", "There is a plan for disasters", "docs/vm-setup.md",
     "it is written for people; the weekly drill (cis-2.1.2) goes through its steps."),
    ("cis-2.1.7", "Configuration is backed up", "vm-setup/",
     "all of it is written again from the repository. What cannot be made again is restic's "
     "password: keep a copy elsewhere."),
    ("cis-2.3", "The machine is MySQL's alone", "MySQL on the machine, all else in containers",
     "application and monitoring share it, without a way into it; memory is divided beforehand."),
    ("cis-2.19", "Cryptography is validated (FIPS 140-3)", "OpenSSL of the distribution",
     "no rule asks for it here. Debian has none that is, Ubuntu one by subscription."),
    ("cis-10.1", "Group replication is encrypted", "one server", "there is no cluster."),
    ("cis-10.2", "A cluster takes known servers only", "one server", "there is no cluster."),
    ("cis-enterprise", "Every statement is in an audit log", "no audit log",
     "the plugin is the Enterprise edition's. The binary log has every change with its time, and "
     "connection_control counts who fails to log in."),
    ("mysql-conf-03 (old_passwords)", "Old password hashes are not made", "no such option",
     "MySQL has not known it since 8.0, nor the hashes."),
    ("mysql-conf-03b", "Old password hashes are not taken (secure-auth)", "no such option",
     "mysqld 9.7 does not start with it; the hashes are gone since 5.7.5."),
)  # fmt: skip


def judge(evidence: str, reason: str, _: Database) -> Verdict:
    """Accepted, always."""
    return accepted(reason, evidence)


for _id, _title, _evidence, _reason in JUDGED:
    control(_id, _title, "")(partial(judge, _evidence, _reason))
