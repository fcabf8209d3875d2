"""INSERT that does not mind what is there already, in both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert
_INSERTS: Final[dict[str, Callable[[Table], Insert]]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


def build_insert(connection: Connection, table: Table) -> Insert:
    """Return an INSERT of the database's own kind, which knows ON CONFLICT."""
    return _INSERTS[connection.dialect.name](table)


@dataclass(frozen=True, slots=True)
class _PlainInsert:
    """An INSERT in the driver's own words: what is inserted with every message is not built every time."""

    sql: str
    names: tuple[str, ...]
    processors: tuple[Callable[[Any], Any] | None, ...]

    @classmethod
    def build(cls, dialect: Dialect, table: Table, names: tuple[str, ...]) -> _PlainInsert:
        prepare = dialect.identifier_preparer
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        columns, marks = ", ".join(map(prepare.quote, names)), ", ".join([mark] * len(names))
        target = prepare.format_table(table)
        return cls(
            f"INSERT INTO {target} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608 - our names
            names,
            tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names),
        )

    def bind(self, row: dict[str, Any]) -> tuple[Any, ...]:
        """Return the values as the driver takes them."""
        return tuple(
            row[name] if process is None else process(row[name])
            for name, process in zip(self.names, self.processors, strict=True)
        )


@lru_cache(maxsize=64)
def _plain_insert(dialect: Dialect, table: Table, names: tuple[str, ...]) -> _PlainInsert:
    return _PlainInsert.build(dialect, table, names)


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert those rows whose keys are not there yet."""
    if rows:
        connection.execute(build_insert(connection, table).on_conflict_do_nothing(), rows)


def insert_if_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row, all its values given, unless its key is there; say whether it was inserted."""
    insert = _plain_insert(connection.dialect, table, tuple(row))
    return connection.exec_driver_sql(insert.sql, insert.bind(row)).rowcount == 1


def put(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert a row, or replace these values of the one that has its primary key."""
    statement = build_insert(connection, table).values(row)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in row if name not in keys}
    if changed:
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
    else:
        connection.execute(statement.on_conflict_do_nothing())
