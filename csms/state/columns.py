"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, cast

from sqlalchemy import BigInteger, Dialect, Row, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant_storage() -> TypeEngine[Any]:
    """Return the type that holds an instant: timestamptz, or microseconds since 1970 where there is none."""
    return BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


class Instant(TypeDecorator[datetime]):
    """An aware instant, UTC when read."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the database at hand."""
        return dialect.type_descriptor(instant_storage().dialect_impl(dialect))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write an instant; one without a time zone is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone: give an aware instant")
        return value if dialect.name == "postgresql" else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read an instant."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return cast("datetime", value).astimezone(UTC)
        return _EPOCH + timedelta(microseconds=value)


def table_of(model: Any) -> Table:
    """Return the table of a model, for statements that do without the ORM."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
