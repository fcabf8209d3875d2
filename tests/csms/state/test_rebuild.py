"""Whatever stations say, a service that starts anew knows what the old one knew."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from csms.ocpp.errors import RequestError
from csms.ocpp.vocabulary import (
    ChargingNeeds,
    ConnectorStatus,
    IdToken,
    Measurand,
    MeterReport,
    OcppVersion,
    Sample,
    StationRequest,
    StatusReport,
    TransactionAnswer,
    TransactionPhase,
    TransactionReport,
)
from csms.state.records import Declaration
from csms.state.service import StateService
from csms.state.station_state import StreetState
from grid.clock import ManualClock
from tests.csms.state.said import event_2x, minutes, start_16, stop_16
from tests.csms.state.street import NOW, build_service, quick_store

V16, V21 = OcppVersion.V16, OcppVersion.V21
evse_ids = st.integers(1, 2)
# How old a message is when it comes [min]: fresh, a little late, hours late, from a clock that runs ahead.
ages = st.sampled_from([0, 0, 0, 1, 20, 300, -90])
kinds = st.sampled_from(
    [
        Measurand.ENERGY_IMPORT_REGISTER,
        Measurand.ENERGY_EXPORT_REGISTER,
        Measurand.POWER_IMPORT,
        Measurand.SOC,
        Measurand.VOLTAGE,
    ]
)
readings = st.lists(st.tuples(kinds, st.floats(0, 500)), min_size=1, max_size=3, unique_by=lambda one: one[0])


@dataclass(frozen=True)
class Said:
    """One thing that happens: which, where, how old, with what."""

    what: str
    evse_id: int
    age: int
    values: list[tuple[Measurand, float]]
    transaction: int
    phase: TransactionPhase


happenings = st.lists(
    st.builds(
        Said,
        st.sampled_from(
            ["start", "stop", "meter", "loose meter", "event", "status", "needs", "declare", "wait"]
        ),
        evse_ids,
        ages,
        readings,
        st.integers(0, 2),
        st.sampled_from(TransactionPhase),
    ),
    max_size=25,
)


class Street:
    """Plays happenings to a service."""

    def __init__(self, service: StateService, clock: ManualClock) -> None:
        self.service, self.clock = service, clock
        self.transactions = ["4711"]
        self.seq_no = 0

    async def play(self, said: Said) -> None:
        await self.clock.advance_to(self.clock.now() + minutes(20 if said.what == "wait" else 1))
        if said.what == "declare":
            await self.declare(said)
            return
        for station_id, version, request in self.requests(said):
            try:
                answer = await self.service.handle(station_id, version, request)
            except RequestError:
                continue
            if said.what == "start" and isinstance(answer, TransactionAnswer):
                self.transactions.append(answer.transaction_id)

    async def declare(self, said: Said) -> None:
        for station in self.service.state.stations.values():
            session = station.evses[said.evse_id].session
            if session is not None:
                declaration = Declaration(self.clock.now() + minutes(60), energy_kwh=said.values[0][1])
                await self.service.declare(session.id, declaration)

    def requests(self, said: Said) -> list[tuple[str, OcppVersion, StationRequest]]:
        at = self.clock.now() - minutes(said.age)
        samples = tuple(Sample(at, kind, value, "") for kind, value in said.values)
        known = self.transactions[-1 - said.transaction % len(self.transactions)]
        loose = MeterReport(said.evse_id, None, samples)
        soc_fraction = said.values[0][1] / 500
        old: dict[str, StationRequest] = {
            "start": start_16(at, evse_id=said.evse_id, kwh=said.values[0][1]),
            "stop": stop_16(known, at, said.values[0][1]),
            "meter": MeterReport(said.evse_id, known, samples),
            "loose meter": loose,
        }
        new: dict[str, StationRequest] = {
            "loose meter": loose,
            "event": self.event(said, samples),
            "status": StatusReport(said.evse_id, 1, ConnectorStatus.OCCUPIED, at),
            "needs": ChargingNeeds(said.evse_id, "AC_BPT", soc_fraction=soc_fraction),
        }
        spoken = [("OLD-1", V16, old.get(said.what)), ("NEW-1", V21, new.get(said.what))]
        return [(station, version, request) for station, version, request in spoken if request is not None]

    def event(self, said: Said, samples: tuple[Sample, ...]) -> TransactionReport:
        self.seq_no += 1
        return event_2x(
            self.seq_no,
            self.clock.now() - minutes(said.age),
            said.phase,
            transaction_id=f"tx-{said.transaction}",
            evse_id=None if said.age == 1 else said.evse_id,
            id_token=IdToken("ANNA") if said.age == 20 else None,
            charging_state="Charging" if said.transaction else "SuspendedEV",
            samples=samples,
            offline=said.age > 15,
        )


def comparable(state: StreetState) -> StreetState:
    stations = {key: replace(one, connected=False, seen_at=None) for key, one in state.stations.items()}
    return replace(state, stations=stations)


@given(happenings)
@settings(deadline=None, max_examples=60)
async def test_a_service_that_starts_anew_knows_the_same(happened: list[Said]) -> None:
    store, clock = quick_store(), ManualClock(NOW)
    service = build_service(store, clock)
    await service.start()
    street = Street(service, clock)
    for said in happened:
        await street.play(said)
    restarted = build_service(store, clock)
    await restarted.start()
    assert comparable(restarted.state) == comparable(service.state)
    await store.close()
