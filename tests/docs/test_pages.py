"""The documentation keeps its promises: links lead somewhere, and all there is has its place."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from loadtest import scenario
from loadtest.catalogue import all_profiles
from tests.docs.pages import ROOT, Page, pages

PAGES = {page.name: page for page in pages()}
TEXT = "\n".join(page.text for page in PAGES.values())
COMMANDS = tomllib.loads((Path(__file__).parent / "commands.toml").read_text())
FIGURES = re.compile(r"\b\d[\d,.]* (?:ms|%|requests|a second)\b")
# Pages whose figures come from drills only.
MEASURED = ("docs/findings.md", "docs/errors.md", "README.md")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_link_and_image_resolves(page: Page) -> None:
    broken = []
    for link in page.links:
        path, _, anchor = link.partition("#")
        if link.startswith(("http://", "https://")):
            continue
        target = (page.path.parent / path).resolve() if path else page.path
        if not target.exists() or (anchor and anchor not in Page(target).anchors):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_command_is_run_somewhere_or_says_why_not(page: Page) -> None:
    assert [command for command in page.commands if not _entry(command)] == []


def test_what_is_said_of_commands_is_so() -> None:
    said = [command for page in PAGES.values() for command in page.commands]
    for entry in COMMANDS["command"]:
        assert any(re.fullmatch(entry["is"], command) for command in said), entry["is"]
        kinds = [kind for kind in ("run", "tested", "why") if kind in entry]
        assert len(kinds) == 1, entry
        if tested := entry.get("tested"):
            path, _, name = tested.partition("::")
            assert name in (ROOT / path).read_text(), tested


def test_every_make_target_is_explained_and_in_the_documentation() -> None:
    makefile = (ROOT / "Makefile").read_text()
    public = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) - {"help"}
    (drills,) = re.findall(r"^DRILLS := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    targets = public | {f"drill-{name}" for name in drills.replace("\\", "").split()}
    assert {target for target in targets if f"make {target}" not in TEXT} == set()


def test_every_scenario_profile_and_command_is_documented() -> None:
    for name in (*scenario.names(), *all_profiles()):
        assert re.search(rf"\b{name}\b", TEXT), name
    listed = subprocess.run(
        [sys.executable, "-m", "loadtest", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in re.findall(r"^ {2,4}([a-z]+)  ", listed, re.MULTILINE):
        assert re.search(rf"loadtest.* {name}\b|`{name}`", TEXT), name
    for name in ("seed", "forget-keys", "pool status", "pool budget", "pool lint", "schema plan",
                 "schema backfill", "schema status"):  # fmt: skip
        assert f"flask {name}" in TEXT, name


def test_every_alert_is_in_the_runbook() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "monitoring/prometheus/rules").glob("*"))
    alerts = set(re.findall(r"alert: (\w+)", rules))
    assert alerts
    runbook = PAGES["monitoring/runbook.md"].text
    assert {alert for alert in alerts if f"# {alert}" not in runbook} == set()


def test_every_page_is_in_the_index() -> None:
    index = PAGES["docs/README.md"].links
    own = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")}
    assert own - {"README.md"} - set(index) == set()


@pytest.mark.parametrize("name", MEASURED)
def test_no_figure_is_typed_by_hand(name: str) -> None:
    assert FIGURES.findall(PAGES[name].prose) == []


def test_every_picture_of_a_finding_is_shown_where_it_is_explained() -> None:
    pictures = {path.name for path in (ROOT / "docs/images").glob("**/*.*") if path.suffix != ".md"}
    shown = {Path(link).name for page in PAGES.values() for link in page.links}
    albums = "".join(path.read_text() for path in (ROOT / "docs/images").glob("**/*.md"))
    assert {name for name in pictures if name not in shown and name not in albums} == set()


def _entry(command: str) -> bool:
    return any(re.fullmatch(entry["is"], command) for entry in COMMANDS["command"])
