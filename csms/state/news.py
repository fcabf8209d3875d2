"""What stations tell beside charging: news, one row each and once, and their device models."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import BigInteger, Column, Integer, Text, select
from sqlmodel import Field, Session, SQLModel

from csms.ocpp.reporting import DeviceVariable, NewsItem, NewsKind, NewsReport, VariableReport
from csms.ocpp.vocabulary import EmptyAnswer
from csms.state.columns import Instant, table_of
from csms.state.receipt import Receipt, Recorded, hold_for_true
from csms.state.redaction import HIDDEN, Redactor, names_secret
from csms.state.upserts import insert_new, put


class StationNewsRow(SQLModel, table=True):
    """One thing that a station told; ``digest`` keeps one that is told again from being kept twice."""

    __tablename__ = "station_news"

    number: int | None = Field(
        default=None,
        sa_column=Column(
            BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
    )
    station_id: str = Field(index=True)
    digest: str = Field(unique=True)
    at: datetime = Field(sa_type=Instant)
    received_at: datetime = Field(sa_type=Instant, index=True)
    action: str
    kind: str
    subject: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    payload: str = Field(sa_type=Text)


class DeviceVariableRow(SQLModel, table=True):
    """An attribute of a variable of a station's device model, as last reported."""

    __tablename__ = "device_variable"

    station_id: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    component_instance: str = Field(primary_key=True)
    evse_id: int = Field(primary_key=True)
    connector_id: int = Field(primary_key=True)
    variable: str = Field(primary_key=True)
    variable_instance: str = Field(primary_key=True)
    attribute: str = Field(primary_key=True)
    value: str | None = Field(default=None, sa_type=Text)
    mutability: str
    data_type: str | None = None
    unit: str | None = None
    reported_at: datetime = Field(sa_type=Instant)


_NEWS = table_of(StationNewsRow)
_VARIABLE = table_of(DeviceVariableRow)


def record_news(session: Session, receipt: Receipt, report: NewsReport, redactor: Redactor) -> Recorded:
    """Record what a station tells, without secrets; what it tells again is known already."""
    rows = [_build_row(receipt, report.action, item, redactor) for item in report.items]
    insert_new(session.connection(), _NEWS, rows)
    return Recorded(EmptyAnswer())


def _build_row(receipt: Receipt, action: str, item: NewsItem, redactor: Redactor) -> dict[str, Any]:
    payload = orjson.dumps(redactor.redact(action, item.payload), option=orjson.OPT_SORT_KEYS).decode()
    at = receipt.received_at if item.at is None else hold_for_true(item.at, receipt.received_at)
    # What has no instant of its own and comes again is told twice: nobody can tell it from a second event.
    content = f"{receipt.station_id}\n{action}\n{item.at or at}\n{payload}"
    return {
        "station_id": receipt.station_id,
        "digest": sha256(content.encode()).hexdigest(),
        "at": at,
        "received_at": receipt.received_at,
        "action": action,
        "kind": item.kind.value,
        "subject": item.subject,
        "status": item.status,
        "payload": payload,
    }


def record_variables(session: Session, receipt: Receipt, report: VariableReport) -> Recorded:
    """Record a part of a device model; parts may come in any order, and again."""
    for variable in report.variables:
        row = asdict(variable) | {"station_id": receipt.station_id, "reported_at": receipt.received_at}
        if names_secret(variable.variable) and variable.value is not None:
            row["value"] = HIDDEN
        put(session.connection(), _VARIABLE, row)
    return Recorded(EmptyAnswer())


def list_news(
    session: Session, *, station_id: str | None, kind: NewsKind | None, limit: int
) -> list[StationNewsRow]:
    """Return news, the last to arrive first."""
    query = select(StationNewsRow).order_by(_NEWS.c.number.desc()).limit(limit)
    if station_id is not None:
        query = query.where(_NEWS.c.station_id == station_id)
    if kind is not None:
        query = query.where(_NEWS.c.kind == kind.value)
    return list(session.scalars(query))


def list_variables(
    session: Session, *, station_id: str, component: str | None = None
) -> list[tuple[DeviceVariable, datetime]]:
    """Return a station's device model as last reported, in the order of its names."""
    names = list(DeviceVariable.__slots__)
    columns = [_VARIABLE.c[name] for name in (*names, "reported_at")]
    query = select(*columns).where(_VARIABLE.c.station_id == station_id)
    if component is not None:
        query = query.where(_VARIABLE.c.component == component)
    rows = session.connection().execute(query.order_by(*columns[: names.index("value")]))
    return [(DeviceVariable(*row[:-1]), row[-1]) for row in rows]
