"""A run as JUnit XML, which continuous integration shows: a test for each promise."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from loadtest.lab import verdict
from loadtest.lab.run import Run

NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Such as the colours of a log; not even an escape may stand for them."""


def document(run: Run) -> str:
    """Return the XML text: the SLO, each mark of the fingerprint, each alert, and validity."""
    checks = list(_checks(run))
    failures = sum(bool(problem) for _, problem in checks)
    suite = Element(
        "testsuite", name=f"loadtest.{run.scenario}", tests=str(len(checks)), failures=str(failures)
    )
    for name, problem in checks:
        case = SubElement(suite, "testcase", classname=f"loadtest.{run.scenario}", name=name)
        if problem:
            SubElement(case, "failure", message=NOT_IN_XML.sub("", problem))
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _checks(run: Run) -> Iterator[tuple[str, str]]:
    """Yield what was promised, and how it was broken, if it was."""
    yield "the run reached its end", run.ended_early
    yield "the generator was not the bottleneck", run.invalid
    yield "service level", run.slo if run.missed else ""
    if run.broken is not None:
        yield "every acknowledged booking is there, and once", "; ".join(run.broken)
    for mark in run.marks:
        yield f"fingerprint: {mark.says}", "" if mark.seen else verdict.mark_line(mark)
    silent = verdict.silent_alerts(run)
    for name in run.expected_alerts if run.alerts is not None else []:
        yield f"alert: {name}", "it did not fire" if name in silent else ""
