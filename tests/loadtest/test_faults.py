"""Faults are undone, whatever they did to the server."""

from __future__ import annotations

from contextlib import ExitStack

import pymysql
import pytest

from loadtest.lab.database import PrivateDatabase
from loadtest.lab.faults import server_variable
from loadtest.lab.targets import Embedded

ROOM = 10  # the least that max_connections can be


def test_a_variable_is_set_back_while_the_server_refuses_everybody() -> None:
    with PrivateDatabase.running() as database, ExitStack() as clients:
        target = Embedded({})
        target.database = database
        ((before,),) = target.sql("SELECT @@GLOBAL.max_connections")
        for _ in range(ROOM + 2):
            clients.enter_context(database.connect("admin"))
        with (
            server_variable(target, "max_connections", ROOM),
            pytest.raises(pymysql.OperationalError, match="Too many connections"),
        ):
            database.connect("admin")
        assert target.sql("SELECT @@GLOBAL.max_connections") == ((before,),)
