"""Connections of the process's SQLite have more small memory than SQLite gives by itself."""

from __future__ import annotations

import ctypes
import sys

import pytest

from reseller_kit.db import sqlite_driver, sqlite_lookaside

_LOOKASIDE_USED = 0
_SQLITE_MISUSE = 21


@pytest.fixture
def sqlite() -> ctypes.CDLL:
    """The C library that the driver runs on."""
    module = sys.modules.get("pysqlite3._sqlite3")
    if module is None or sqlite_driver.library.__name__ != "pysqlite3.dbapi2":
        pytest.skip("no SQLite of its own")
    return ctypes.CDLL(module.__file__)


def test_a_connection_keeps_many_statements_in_its_own_memory(sqlite: ctypes.CDLL) -> None:
    handle = ctypes.c_void_p()
    assert sqlite.sqlite3_open(b":memory:", ctypes.byref(handle)) == 0
    statements = [ctypes.c_void_p() for _ in range(60)]
    for number, statement in enumerate(statements):
        text = b"SELECT ?, %d" % number
        assert sqlite.sqlite3_prepare_v2(handle, text, -1, ctypes.byref(statement), None) == 0
    used, most = ctypes.c_int(), ctypes.c_int()
    sqlite.sqlite3_db_status(handle, _LOOKASIDE_USED, ctypes.byref(used), ctypes.byref(most), 0)
    for statement in statements:
        sqlite.sqlite3_finalize(statement)
    assert sqlite.sqlite3_close(handle) == 0
    assert used.value > 150, "as many as SQLite has by itself, or fewer"


def test_it_is_too_late_behind_the_import(sqlite: ctypes.CDLL) -> None:
    assert sqlite.sqlite3_config(13, 1_200, 256) == _SQLITE_MISUSE
    sqlite_lookaside.give("pysqlite3")


@pytest.mark.parametrize("package", ["no_such_package", "sqlite3"])
def test_another_package_has_no_such_memory(package: str) -> None:
    sqlite_lookaside.give(package)
