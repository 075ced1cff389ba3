"""``flask pool``: what the pools do, whether they fit the server, and whether they are set well.

Exit codes: 0 all is well; 1 it is not; 2 wrong usage; 3 what had to be asked does not answer.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from dataclasses import asdict, fields
from textwrap import fill

import click
from flask import current_app
from rich.console import Console
from rich.live import Live
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import addresses, pool_status
from app.database import budget, db
from app.pool import Budget
from app.pool.rules import Finding, Report, Setup, Severity, examine
from app.settings import Settings, variable

REFRESH = 1.0  # seconds
PLAIN_WIDTH = 120  # where there is no terminal to fit into
PROXY_TIMEOUT = 15  # seconds: proxy_read_timeout in compose/nginx/nginx.conf
GRACEFUL_TIMEOUT = 20  # seconds: graceful_timeout in app/server.py

as_json = click.option("--json", "as_json", is_flag=True, help="For a program to read.")


class Unreachable(click.ClickException):
    """What had to be asked does not answer."""

    exit_code = 3


@click.group("pool")
def pool() -> None:
    """See the connection pools, and check their settings.

    Exit codes: 0 all is well; 1 it is not; 3 what had to be asked does not answer.
    """


@pool.command()
@click.option(
    "--at",
    "targets",
    multiple=True,
    metavar="HOST:PORT",
    callback=lambda _context, _option, targets: _checked(targets),
    help="A metrics port; may be repeated. A name with several addresses, such as app:9200 among "
    f"containers, is asked at each.  [default: {variable('metrics_bind')}]",
)
@click.option("--once", is_flag=True, help="One page, as where there is no terminal.")
def status(targets: tuple[str, ...], once: bool) -> None:
    """Show what the pools of all workers do, each second until Ctrl-C."""
    asked = targets or (_settings().metrics_bind,)
    console = Console()
    if console.is_terminal and not once:
        _watch(asked, console)
        return
    fleet = _answering(asked)
    page = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    page.print(pool_status.screen(fleet))
    if fleet.problems:
        raise Unreachable("This is not the whole fleet: not every replica answers.")


@pool.command("budget")
@click.option(
    "--replicas",
    type=click.IntRange(1, 1000),
    help=f"Replicas of the application.  [default: {variable('replicas')}]",
)
@as_json
def show_budget(replicas: int | None, as_json: bool) -> None:
    """Do all pools together fit into what the database server grants?

    Exit code 1 when they do not. A rolling restart that does not fit is only told.
    """
    settings = _settings()
    if replicas is not None:
        settings = settings.model_copy(update={"replicas": replicas})
    found = budget(settings, _server()["max_connections"])
    click.echo(json.dumps(_as_data(found), indent=2) if as_json else _in_words(found))
    if not found.fits:
        raise SystemExit(1)


@pool.command()
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
@click.option(
    "--held-at-once",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Most connections that one request holds at the same time.",
)
@as_json
def lint(strict: bool, held_at_once: int, as_json: bool) -> None:
    """Check the settings against each other and against the database server.

    Exit code 1 with any error, or with --strict any warning.
    """
    server: dict[str, int] = {}
    problem = ""
    try:
        server = _server()
    except Unreachable as error:
        problem = error.message
    report = examine(_setup(_settings(), held_at_once, server))
    click.echo(_report_data(report, problem) if as_json else _report_text(report, problem))
    if any(strict or finding.severity is Severity.ERROR for finding in report.findings):
        raise SystemExit(1)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings


def _checked(targets: tuple[str, ...]) -> tuple[str, ...]:
    for target in targets:
        try:
            addresses.host_and_port(target)
        except ValueError as error:
            raise click.BadParameter(f"{target!r} {error}") from None
    return targets


def _answering(targets: Iterable[str]) -> pool_status.Fleet:
    fleet = pool_status.ask(targets)
    if not fleet.rows:
        raise Unreachable(
            f"{'; '.join(fleet.problems)}. Is the application running there? Its metrics port is "
            f"the setting {variable('metrics_bind')}; --at HOST:PORT asks another."
        )
    return fleet


def _watch(targets: Iterable[str], console: Console) -> None:
    fleet = _answering(targets)
    # Ctrl-C is waited for and not raised: where it hits a finalizer, an exception is lost.
    interrupt = {signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, interrupt)
    with Live(console=console, auto_refresh=False) as live:
        live.update(pool_status.screen(fleet), refresh=True)
        while signal.sigtimedwait(interrupt, REFRESH) is None:
            live.update(pool_status.screen(pool_status.ask(targets)), refresh=True)


def _server() -> dict[str, int]:
    asked = text("SELECT @@max_connections AS max_connections, @@wait_timeout AS wait_timeout")
    try:
        with db.engine.connect() as connection:
            return dict(connection.execute(asked).mappings().one())
    except DBAPIError as error:
        reason = error.orig.args[-1] if error.orig and error.orig.args else error
        raise Unreachable(f"Cannot use the database: {reason}") from None


def _setup(settings: Settings, held_at_once: int, server: dict[str, int]) -> Setup:
    known = {each.name for each in fields(Setup)} & Settings.model_fields.keys()
    return Setup(
        **{name: getattr(settings, name) for name in known},
        held_at_once=held_at_once,
        proxy_timeout=PROXY_TIMEOUT,
        graceful_timeout=GRACEFUL_TIMEOUT,
        **server,
    )


def _as_data(found: Budget) -> dict[str, int | bool]:
    return {
        **asdict(found),
        "needed": found.needed,
        "needed_in_rolling_restart": found.needed + found.per_replica,
        "granted": found.limit,
        "fits": found.fits,
        "fits_rolling_restart": found.fits_rolling_restart,
    }


def _in_words(found: Budget) -> str:
    pools = f"{_many(found.workers, 'worker')} x ({found.size} + {found.max_overflow})"
    restart = found.needed + found.per_replica
    return "\n".join(
        (
            f"needed           {found.needed:6}   {pools} x {_many(found.replicas, 'replica')}",
            f"rolling restart  {restart:6}   with one replica more, while it takes over",
            f"granted          {found.limit:6}   the server's max_connections, "
            f"{found.max_connections}, less {found.reserve} reserved",
            "",
            _verdict(found),
        )
    )


def _verdict(found: Budget) -> str:
    if not found.fits:
        over = found.needed - found.limit
        return click.style(f"Does not fit: {over} too many. flask pool lint says more.", "red")
    if not found.fits_rolling_restart:
        return click.style("Fits, but not during a rolling restart.", "yellow")
    return click.style("Fits, also during a rolling restart.", "green")


def _report_data(report: Report, problem: str) -> str:
    findings = [{**asdict(f), "variable": variable(f.setting)} for f in report.findings]
    skipped = [asdict(each) for each in report.skipped]
    data = {"findings": findings, "skipped": skipped, "problem": problem or None}
    return json.dumps(data, indent=2)


def _report_text(report: Report, problem: str) -> str:
    parts = [_finding_text(finding) for finding in report.findings]
    if report.skipped:
        rules = ", ".join(dict.fromkeys(each.rule for each in report.skipped))
        parts.append(f"Not checked: {rules}. {problem}")
    return "\n\n".join([*parts, _count(report)])


def _finding_text(finding: Finding) -> str:
    colour = "red" if finding.severity is Severity.ERROR else "yellow"
    title = click.style(f"{finding.severity}: {finding.rule}", colour, bold=True)
    parts = {"what": finding.what, "why": finding.why, "change": finding.advice}
    lines = [_paragraph(f"  {name:8}", words) for name, words in parts.items()]
    return "\n".join([f"{title}  {variable(finding.setting)}", *lines])


def _paragraph(name: str, words: str) -> str:
    indent = " " * len(name)
    return fill(words, 96, initial_indent=name, subsequent_indent=indent, break_on_hyphens=False)


def _count(report: Report) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in report.findings)
    if not report.findings:
        return click.style("No findings.", "green")
    return f"{_many(errors, 'error')}, {_many(len(report.findings) - errors, 'warning')}."


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
