"""Discharge is 0 kW unless everything is on record: each missing thing alone is enough to forbid it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from csms.ocpp.dialects import DischargeDialect
from csms.ocpp.vocabulary import AuthorizationStatus, Authorize, AuthorizeAnswer, IdToken, OcppVersion
from csms.state.catalogue import Catalogue
from csms.state.events import SessionDeclared
from csms.state.permission import discharge_permission, token_permission
from csms.state.service import StateService
from csms.state.station_state import StreetState
from grid.topology import Topology
from tests.csms.state.said import event_2x, minutes, say
from tests.csms.state.street import NOW, build_catalogue

OPTED_IN = SessionDeclared("s", NOW, NOW + minutes(60), 5.0, discharge_opt_in=True, floor_soc_fraction=0.2)


def with_model(**change: Any) -> Catalogue:
    known = build_catalogue()
    return replace(known, models={**known.models, "new": known.models["new"].model_copy(update=change)})


def with_connection(**change: Any) -> Catalogue:
    known = build_catalogue()
    first, second = known.topology.connections
    return replace(known, topology=Topology(known.topology.nodes, (first, second.model_copy(update=change))))


def with_vehicle(**change: Any) -> Catalogue:
    known = build_catalogue()
    (zoe,) = known.service.vehicles
    vehicles = (zoe.model_copy(update=change),)
    return replace(known, service=known.service.model_copy(update={"vehicles": vehicles}))


def test_everything_on_record_allows_it() -> None:
    permission = token_permission(build_catalogue(), "NEW-1", "zoe-tag")
    assert permission.allowed
    assert permission.reasons == ()
    assert permission.export_limit_kw == 11.0


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: with_model(discharge_dialect=DischargeDialect.NONE), "dialect"),
        (lambda: with_model(grid_code_conformant=False), "grid code"),
        (lambda: with_connection(feed_in_registered=False, export_limit_kw=0.0), "not registered"),
        (lambda: with_connection(export_limit_kw=0.0), "export limit of 0 kW"),
        (lambda: with_vehicle(token="other"), "not known"),
        (lambda: with_vehicle(max_discharge_kw=0.0), "cannot discharge"),
        (lambda: with_vehicle(conformant_models=()), "conformant_models"),
        (lambda: with_vehicle(discharge_opt_in=False), "opted in"),
        (lambda: with_vehicle(floor_soc_fraction=None), "opted in"),
    ],
)
def test_each_missing_thing_forbids_it(build: Callable[[], Catalogue], reason: str) -> None:
    permission = token_permission(build(), "NEW-1", "ZOE-TAG")
    assert not permission.allowed
    assert permission.export_limit_kw == 0.0
    assert any(reason in one for one in permission.reasons)


def test_a_declaration_can_be_the_opt_in() -> None:
    catalogue = with_vehicle(discharge_opt_in=False)
    assert token_permission(catalogue, "NEW-1", "ZOE-TAG", OPTED_IN).allowed
    without_floor = replace(OPTED_IN, floor_soc_fraction=None)
    assert not token_permission(catalogue, "NEW-1", "ZOE-TAG", without_floor).allowed


def test_nobody_is_nobody() -> None:
    catalogue = build_catalogue()
    assert not token_permission(catalogue, "NEW-1", None).allowed
    assert not token_permission(catalogue, "STRANGE", "ZOE-TAG").allowed
    assert not discharge_permission(catalogue, StreetState(), "NEW-1", 1).allowed
    assert not token_permission(build_catalogue(open_door=True), "STRANGE", "ZOE-TAG").allowed


async def test_the_session_on_the_evse_is_asked(service: StateService) -> None:
    await say(service, event_2x(0, id_token=IdToken("ZOE-TAG")))
    assert discharge_permission(service.catalogue, service.state, "NEW-1", 1).allowed
    assert not discharge_permission(service.catalogue, service.state, "NEW-1", 2).allowed


async def test_authorization_names_bidirectional_transfer_only_where_it_is_allowed(
    service: StateService,
) -> None:
    async def transfers(station_id: str, version: OcppVersion, tag: str) -> tuple[str, ...]:
        answer = await service.handle(station_id, version, Authorize(IdToken(tag)))
        assert isinstance(answer, AuthorizeAnswer)
        assert answer.status is AuthorizationStatus.ACCEPTED
        return answer.allowed_energy_transfer

    plain = ("AC_single_phase", "AC_three_phase")
    assert await transfers("NEW-1", OcppVersion.V21, "ZOE-TAG") == (*plain, "AC_BPT")
    assert await transfers("NEW-1", OcppVersion.V21, "GUEST") == plain
    assert await transfers("OLD-1", OcppVersion.V16, "ZOE-TAG") == ()
