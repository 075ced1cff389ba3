"""The application's settings: typed, from the environment and from secret files.

Every setting is an environment variable with the prefix ``CLINIC_``. Secrets are never in the
environment: a variable that ends in ``_FILE`` names the file that holds one. ``docs/settings.md``
lists them all and is generated from this file (``make docs``).
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import click
from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import addresses

PREFIX = "CLINIC_"
DOCUMENTED_IN = "docs/settings.md"


def _host_and_port(address: str) -> str:
    addresses.host_and_port(address)
    return address


def _host_if_any(address: str | None) -> str | None:
    return address and addresses.host(address)


Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Host = Annotated[str, AfterValidator(addresses.host)]
OptionalHost = Annotated[str | None, AfterValidator(_host_if_any)]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_TYPES = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    str | None: "text",
}
_FORMS: dict[Any, str] = {
    addresses.host: "host name or IP address",
    _host_if_any: "host name or IP address",
    _host_and_port: "HOST:PORT",
}
_BOUNDS = {Ge: "at least", Gt: "more than", Le: "at most", Lt: "less than"}


class SettingsError(click.ClickException):
    """The settings cannot be used. The message lists every problem, one a line."""


class Settings(BaseSettings):
    """What the application is told from outside.

    The timeouts form a ladder, so that each failure is reported by the layer that knows it:
    pool 1 s < connect 2 s < lock wait 5 s < max_execution_time 8 s < read 10 s < nginx 15 s.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    db_host: Host = Field("127.0.0.1", description="Where the MySQL server is.")
    db_port: Port = Field(3306, description="TCP port of the MySQL server.")
    db_name: str = Field("clinic", pattern=r"^\w{1,64}$", description="Schema to use.")
    db_user: str = Field("app", description="Account to connect as.")
    db_password_file: Path = Field(description="File that holds the account's password.")
    db_ca_file: Path | None = Field(
        None,
        validate_default=True,  # whether it may be left out depends on the host
        description="Certificate authority that signed the server's certificate. The server is "
        "verified by name. May be left out only for a loopback host, which is then not encrypted.",
    )
    db_replica_host: OptionalHost = Field(
        None,
        description="Where free slots and reports may be read: a MySQL replica, or MySQL Router in "
        "front of several. Account, schema and authority are those of the source.",
    )
    db_replica_port: Port = Field(3306, description="TCP port of the replica or Router.")
    db_replica_max_lag: Annotated[float, Field(ge=1, le=3600)] = Field(
        5, description="How old a replica's data may be, s; beyond, the source is read."
    )
    secret_key_file: Path | None = Field(
        None, description="File with the key that signs form tokens. gunicorn needs it."
    )

    db_connect_timeout: Seconds = Field(
        2, description="Longest wait for a new connection, or for an idle one to answer, s."
    )
    db_lock_wait_timeout: Annotated[int, Field(ge=1, le=3600)] = Field(
        5, description="Longest wait for a row lock (innodb_lock_wait_timeout), s."
    )
    db_max_execution_time: Seconds = Field(
        8, description="Longest SELECT (max_execution_time), s; the server ends it."
    )
    db_read_timeout: Seconds = Field(10, description="Longest wait for an answer, s.")

    pool_size: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Connections that each worker keeps open."
    )
    pool_max_overflow: Annotated[int, Field(ge=0, le=1000)] = Field(
        2, description="Connections that each worker may open beyond pool_size."
    )
    pool_timeout: Annotated[float, Field(ge=0.01, le=3600)] = Field(
        1, description="Longest wait for a free connection, s; then the answer is 503."
    )
    pool_recycle: Annotated[int, Field(ge=1)] = Field(
        1800, description="Age at which a connection is replaced, s; below wait_timeout."
    )

    pool_leak_threshold: Seconds = Field(
        30, description="A connection borrowed for longer is a suspected leak, s; it is logged."
    )
    pool_leak_stacks: bool = Field(
        False, description="Log also where it was borrowed. Slow: keeps every checkout's stack."
    )

    workers: Annotated[int, Field(ge=1, le=256)] = Field(2, description="gunicorn workers.")
    threads: Annotated[int, Field(ge=1, le=1000)] = Field(
        16,
        description="Threads of each worker: at least 2 x (pool_size + pool_max_overflow), "
        "otherwise requests queue where no metric sees them.",
    )
    replicas: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="Replicas of the application on this database, for the connection budget."
    )
    db_reserved_connections: Annotated[int, Field(ge=0, le=100000)] = Field(
        10, description="Of the server's max_connections, those that are not for the application."
    )
    node: str | None = Field(
        None,
        max_length=253,
        description="Machine of a fleet that it runs on, for dashboards.",
    )
    bind: HostAndPort = Field("127.0.0.1:8000", description="Where pages and API listen.")
    metrics_bind: HostAndPort = Field("127.0.0.1:9200", description="Where /metrics listens.")

    lab_enabled: bool = Field(False, description="Register the fault endpoints under /lab.")
    log_level: Level = Field("INFO", description="Least severe message that is logged.")

    @field_validator("db_password_file", "db_ca_file", "secret_key_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            _read(path)
        return path

    @field_validator("db_ca_file")
    @classmethod
    def _certificate(cls, path: Path | None) -> Path | None:
        try:
            ssl.create_default_context(cafile=path)
        except ssl.SSLError:
            raise ValueError(f"{path} holds no certificate in PEM form") from None
        return path

    @field_validator("db_ca_file")
    @classmethod
    def _encrypted_or_loopback(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        host = info.data.get("db_host", "localhost")  # left out where it is invalid itself
        if path is None and not _is_loopback(host):
            raise ValueError(_unencrypted(host))
        return path

    @field_validator("db_replica_host")
    @classmethod
    def _replica_encrypted_or_loopback(cls, host: str | None, info: ValidationInfo) -> str | None:
        if host and info.data.get("db_ca_file", host) is None and not _is_loopback(host):
            raise ValueError(_unencrypted(host))
        return host

    @classmethod
    def load(cls) -> Self:
        """Read the settings from the environment.

        Raises:
            SettingsError: one or more are missing or invalid; the message names each variable,
                what was expected and where it is documented.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError(_explain(error, cls.model_fields)) from None

    @property
    def db_password(self) -> str:
        """The database account's password, read from its file."""
        return _read(self.db_password_file)

    @property
    def secret_key(self) -> str | None:
        """The key that signs form tokens, or None where no file is named."""
        return _read(self.secret_key_file) if self.secret_key_file else None


def variable(name: str) -> str:
    """The environment variable of the setting *name*."""
    return PREFIX + name.upper()


def expected(field: FieldInfo) -> str:
    """A setting's type and bounds in words, such as ``whole number, at least 1``."""
    return ", ".join([_type(field.annotation), *(_bound(m) for m in field.metadata)])


def _type(annotation: Any) -> str:
    if annotation is Path or Path in get_args(annotation):
        return "path of a readable file"
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(get_args(annotation))
    return _TYPES[annotation]


def _bound(metadata: Any) -> str:
    for kind, words in _BOUNDS.items():
        if isinstance(metadata, kind):
            return f"{words} {getattr(metadata, kind.__name__.lower())}"
    if isinstance(metadata, AfterValidator):
        return _FORMS[metadata.func]
    return "letters, digits and _"


def _explain(error: ValidationError, fields: Mapping[str, FieldInfo]) -> str:
    lines = [f"Settings are invalid ({error.error_count()}), see {DOCUMENTED_IN}:"]
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0])
        unset = problem["type"] == "missing" or problem["input"] is None
        got = "not set" if unset else f"got {problem['input']!r}"
        reason = problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {variable(name)}: {got}; {reason} (expected: {expected(fields[name])})")
    return "\n".join(lines)


def _read(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ValueError(f"cannot read {path}: {reason}") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _unencrypted(host: str) -> str:
    return (
        f"{host!r} is not a loopback host, so name the certificate authority that signed "
        "the server's certificate"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
