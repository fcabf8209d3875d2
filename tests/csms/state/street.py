"""A street of three small stations and a service over it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

from sqlmodel import SQLModel

from csms.ocpp.dialects import DischargeDialect
from csms.ocpp.vocabulary import OcppVersion, RateUnit
from csms.settings import EvseConfig, ServiceConfig, StationConfig, StationModel, VehicleConfig
from csms.state.catalogue import Catalogue
from csms.state.service import StateService
from csms.state.store import InlineStore, Store, _create_engine, parse_url
from grid.clock import ManualClock
from grid.topology import Connection, ConnectionKind, Node, NodeKind, Topology

NOW = datetime(2024, 6, 11, 6, tzinfo=UTC)


def build_catalogue(*, open_door: bool = False) -> Catalogue:
    """OLD-1 speaks 1.6, NEW-1 speaks 2.1 and may discharge the car ``zoe-1``."""
    connections = (
        Connection(
            id="pole-1",
            node="transformer",
            ean18="871694600000010017",
            kind=ConnectionKind.PUBLIC_POLE,
            fuse="3x25A",
        ),
        Connection(
            id="pole-2",
            node="transformer",
            ean18="871694600000010024",
            kind=ConnectionKind.PUBLIC_POLE,
            fuse="3x25A",
            feed_in_registered=True,
            export_limit_kw=11.0,
        ),
    )
    old = StationModel(
        protocol=OcppVersion.V16, vendor="Wijk", model="Duo AC", max_periods=24, max_stack_level=10
    )
    new = StationModel(
        protocol=OcppVersion.V21,
        vendor="Wijk",
        model="Duo AC V2G",
        rate_unit=RateUnit.WATT,
        max_periods=96,
        max_stack_level=10,
        discharge_dialect=DischargeDialect.OCPP21_SETPOINT,
        grid_code_conformant=True,
    )
    stations = (
        StationConfig(id="OLD-1", connection="pole-1", model="old", evses=_evses("OLD-1")),
        StationConfig(id="OLD-2", connection="pole-1", model="old", evses=_evses("OLD-2")),
        StationConfig(id="NEW-1", connection="pole-2", model="new", evses=_evses("NEW-1")),
    )
    zoe = VehicleConfig(
        id="zoe-1",
        token="ZOE-TAG",
        capacity_kwh=52.0,
        max_charge_kw=11.0,
        max_discharge_kw=10.0,
        discharge_opt_in=True,
        floor_soc_fraction=0.3,
        conformant_models=("new",),
    )
    return Catalogue(
        stations={station.id: station for station in stations},
        models={"old": old, "new": new},
        topology=Topology((Node("transformer", NodeKind.TRANSFORMER),), connections),
        service=ServiceConfig(vehicles=(zoe,)),
        open_door=open_door,
    )


def _evses(station_id: str) -> tuple[EvseConfig, ...]:
    return tuple(EvseConfig(id=number, emi3=f"NL*WIJ*E{station_id}*{number}") for number in (1, 2))


def counted_ids(prefix: str = "session") -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{prefix}-{next(numbers)}"


def quick_store() -> Store:
    """A database in memory whose tables are made at once, for properties with many examples."""
    engine = _create_engine(parse_url("sqlite://"))
    SQLModel.metadata.create_all(engine)
    return InlineStore(engine)


def build_service(store: Store, clock: ManualClock, catalogue: Catalogue | None = None) -> StateService:
    return StateService(store, clock, catalogue or build_catalogue(), new_id=counted_ids(), pepper=b"pepper")
