"""Who may connect: stations that are known, with their key if they have one."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlmodel import Session

from csms.ocpp.errors import ErrorCode, RequestError
from csms.ocpp.vocabulary import (
    AuthorizationStatus,
    Authorize,
    AuthorizeAnswer,
    Boot,
    ConnectorStatus,
    IdToken,
    OcppVersion,
    StatusReport,
)
from csms.state.columns import table_of
from csms.state.errors import NotFoundError
from csms.state.models import NoticeKind, StationRow, TokenRow
from csms.state.queries import list_notices
from csms.state.service import StateService
from csms.state.store import Store
from grid.clock import ManualClock
from tests.csms.state.said import begin_16, event_2x, say
from tests.csms.state.street import NOW, build_catalogue, build_service

V16 = OcppVersion.V16


async def test_a_key_opens_the_door_and_nothing_else_does(service: StateService) -> None:
    assert await service.authenticate("OLD-1", None)
    key = await service.new_station_key("OLD-1")
    assert len(key) == 40
    assert await service.authenticate("OLD-1", key.encode())
    assert await service.authenticate("OLD-1", bytes.fromhex(key))  # raw, as 1.6 stations may send it
    for wrong in (None, b"", b"x", key.upper().encode() + b" ", key.encode()[:-1]):
        assert not await service.authenticate("OLD-1", wrong)
    assert await service.authenticate("OLD-2", None)


async def test_a_new_key_ends_the_old_one(service: StateService) -> None:
    old, new = await service.new_station_key("OLD-1"), await service.new_station_key("OLD-1")
    assert old != new
    assert not await service.authenticate("OLD-1", old.encode())
    assert await service.authenticate("OLD-1", new.encode())


async def test_the_key_itself_is_not_stored(service: StateService, store: Store, clock: ManualClock) -> None:
    key = await service.new_station_key("OLD-1")

    def stored(session: Session) -> str | None:
        query = select(table_of(StationRow).c.key_hash).where(table_of(StationRow).c.id == "OLD-1")
        value: str | None = session.connection().execute(query).scalar()
        return value

    key_hash = await store.read(stored)
    assert key_hash is not None
    assert key not in key_hash
    await build_service(store, clock).start()
    assert await store.read(stored) == key_hash


async def test_unknown_stations_stay_outside(service: StateService) -> None:
    assert not await service.authenticate("STRANGE", None)
    with pytest.raises(NotFoundError, match=r"\[\[stations\]\]"):
        await service.new_station_key("STRANGE")
    with pytest.raises(RequestError) as refused:
        await service.handle("STRANGE", V16, Boot("x", "y"))
    assert refused.value.code is ErrorCode.SECURITY_ERROR


async def test_an_open_door_lets_them_in(store: Store, clock: ManualClock) -> None:
    service = build_service(store, clock, build_catalogue(open_door=True))
    await service.start()
    assert await service.authenticate("STRANGE", None)
    await service.connected("STRANGE", V16)
    await service.handle("STRANGE", V16, Boot("x", "y"))
    await begin_16(service)
    answer = await say(service, event_2x(0, evse_id=2), "STRANGE")
    assert answer is not None
    assert service.state.stations["STRANGE"].evses[2].session is not None
    restarted = build_service(store, clock, build_catalogue(open_door=True))
    await restarted.start()
    assert restarted.state.stations["STRANGE"].evses[2].session is not None


async def test_an_evse_that_nobody_configured_is_taken_in_and_noticed(service: StateService) -> None:
    await service.handle("OLD-1", V16, StatusReport(7, 1, ConnectorStatus.AVAILABLE, NOW))
    assert 7 in service.state.stations["OLD-1"].evses
    assert [one.kind for one in await service.store.read(list_notices)] == [NoticeKind.UNKNOWN_EVSE]
    with pytest.raises(RequestError) as refused:
        await service.handle("OLD-1", V16, StatusReport(4711, 1, ConnectorStatus.AVAILABLE, NOW))
    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION


@pytest.mark.parametrize(
    ("status", "expires", "expected"),
    [
        ("Accepted", None, AuthorizationStatus.ACCEPTED),
        ("Blocked", None, AuthorizationStatus.BLOCKED),
        ("Accepted", NOW, AuthorizationStatus.EXPIRED),
    ],
)
async def test_tokens_have_a_status_on_our_clock(
    service: StateService, status: str, expires: object, expected: AuthorizationStatus
) -> None:
    token = table_of(TokenRow)

    def work(session: Session) -> None:
        values = {"folded": "anna", "value": "Anna", "kind": "ISO14443", "status": status}
        session.connection().execute(token.insert().values(**values, expires_at=expires))

    await service.store.write(work)
    answer = await service.handle("OLD-1", V16, Authorize(IdToken("ANNA")))
    assert isinstance(answer, AuthorizeAnswer)
    assert answer.status is expected
    transaction_id = await begin_16(service)  # E05: even then it gets an id
    assert int(transaction_id) > 0


async def test_a_block_survives_a_restart(service: StateService, store: Store, clock: ManualClock) -> None:
    token = table_of(TokenRow)

    def block(session: Session) -> None:
        session.connection().execute(
            token.update().where(token.c.folded == "zoe-tag").values(status="Blocked")
        )

    await store.write(block)
    await build_service(store, clock).start()
    answer = await service.handle("OLD-1", V16, Authorize(IdToken("Zoe-Tag")))
    assert isinstance(answer, AuthorizeAnswer)
    assert answer.status is AuthorizationStatus.BLOCKED
