"""Errors of connecting, of the pool, and of connections that end."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import pymysql
from pymysql.constants import COMMAND
from sqlalchemy import create_engine, text

from loadtest.lab.ports import free_port
from tests.errors import Server, asked, engine, password, reproduces, url
from tests.waiting import eventually


@reproduces("queuepool-limit")
def queuepool_limit(server: Server) -> None:
    with engine(server, pool_size=1, max_overflow=0, pool_timeout=0.1) as one, one.connect():
        one.connect()


@reproduces("too-many-connections")
def too_many_connections(server: Server) -> None:
    ((most,),) = asked(server, "SELECT @@GLOBAL.max_connections")
    with ExitStack() as stack:
        admin = stack.enter_context(server.connect("admin"))
        cursor = stack.enter_context(admin.cursor())
        cursor.execute("SET GLOBAL max_connections = 10")
        stack.callback(cursor.execute, f"SET GLOBAL max_connections = {most}")
        for _ in range(12):
            stack.enter_context(server.connect("app"))


@reproduces("user-limit")
def user_limit(server: Server) -> None:
    asked(server, "ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 1")
    try:
        with server.connect("app"):
            server.connect("app")
    finally:
        asked(server, "ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 0")


@reproduces("access-denied")
def access_denied(server: Server) -> None:
    create_engine(url(server, password="wrong")).connect()


@reproduces("unknown-database")
def unknown_database(server: Server) -> None:
    create_engine(url(server, "admin", database="clinik")).connect()


@reproduces("server-away", needs="nothing")
def server_away() -> None:
    pymysql.connect(host="127.0.0.1", port=free_port(), user="app")


@reproduces("password-in-url", needs="nothing")
def password_in_url() -> None:
    create_engine("mysql+pymysql://app:p@ssword@db.invalid/clinic?connect_timeout=2").connect()


@reproduces("no-mysqldb", needs="nothing")
def no_mysqldb() -> None:
    create_engine("mysql://app@127.0.0.1/clinic")


@reproduces("no-cryptography", needs="mysql")
def no_cryptography(server: Server) -> None:
    # Nobody has logged in since, so the server does not remember the password and asks for it.
    asked(server, "FLUSH PRIVILEGES")
    with patch("pymysql._auth._have_cryptography", new=False):
        pymysql.connect(
            host=server.host,
            port=server.port,
            user="app",
            password=password(server),
            ssl_disabled=True,
        )


@reproduces("certificate-verify-failed", needs="mysql")
def certificate_verify_failed(server: Server) -> None:
    context = ssl.create_default_context()
    pymysql.connect(
        host=server.host, port=server.port, user="app", password=password(server), ssl=context
    )


@reproduces("lost-connection")
def lost_connection(server: Server) -> None:
    with engine(server) as pool:
        with pool.connect() as connection:
            mine = connection.scalar(text("SELECT CONNECTION_ID()"))
        asked(server, f"KILL {mine}")
        eventually(lambda: not _runs(server, mine))
        with pool.connect() as connection:
            connection.execute(text("SELECT 1"))


@reproduces("disconnected-for-inactivity", needs="mysql")
def disconnected_for_inactivity(server: Server) -> None:
    with server.connect("app") as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 1")
        eventually(lambda: not _runs(server, connection.thread_id()))
        # The server's last packet is number 0, which PyMySQL takes for a lost connection: 2013.
        connection._next_seq_id = 0
        connection._read_packet()


@reproduces("read-timeout")
def read_timeout(server: Server) -> None:
    with engine(server, connect_args={"read_timeout": 1}) as one, one.connect() as connection:
        connection.execute(text("SELECT SLEEP(3)"))


@reproduces("connect-timeout", needs="nothing")
def connect_timeout() -> None:
    # It takes connections and never says a word, as a frozen server does.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pymysql.connect(
            host="127.0.0.1", port=silent.getsockname()[1], connect_timeout=1, read_timeout=1
        )


@reproduces("packet-sequence")
def packet_sequence(server: Server) -> None:
    """A child takes the first packet of the answer that its parent has asked for."""
    connection: Any = pymysql.connect(
        host=server.host, port=server.port, user="app", password=password(server), read_timeout=5,
        ssl_disabled=True,
    )  # fmt: skip
    connection._execute_command(COMMAND.COM_QUERY, "SELECT 1")
    child = os.fork()
    if child == 0:
        length = int.from_bytes(connection._sock.recv(4)[:3], "little")
        connection._sock.recv(length)
        os._exit(0)
    os.waitpid(child, 0)
    connection._read_query_result()


@reproduces("invalid-transaction")
def invalid_transaction(server: Server) -> None:
    with engine(server) as one, one.connect() as connection:
        mine = connection.scalar(text("SELECT CONNECTION_ID()"))
        asked(server, f"KILL {mine}")
        eventually(lambda: not _runs(server, mine))
        try:
            connection.execute(text("SELECT 1"))
        except Exception as error:
            print(f"first: {type(error).__name__}", file=sys.stderr)  # noqa: T201
        connection.execute(text("SELECT 1"))


def _runs(server: Server, session: int) -> bool:
    return bool(asked(server, f"SELECT 1 FROM information_schema.processlist WHERE id = {session}"))
