"""The state of the street: what stations, drivers and meters say is recorded, then folded, then published."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, assert_never

from sqlmodel import Session

from csms.ocpp.errors import ErrorCode, RequestError
from csms.ocpp.reporting import NewsReport, VariableReport
from csms.ocpp.vocabulary import (
    Answer,
    Authorize,
    AuthorizeAnswer,
    Boot,
    ChargingNeeds,
    Heartbeat,
    HeartbeatAnswer,
    MeterReport,
    OcppVersion,
    StationRequest,
    StatusReport,
    TransactionReport,
)
from csms.state import keys
from csms.state.access import AccessToken, Role, add_access_token, find_access_token
from csms.state.catalogue import Catalogue
from csms.state.catalogue_rows import write_catalogue, write_guest_station
from csms.state.errors import NotFoundError
from csms.state.events import (
    BookingMade,
    Event,
    MeterRead,
    SessionDeclared,
    SignalReceived,
    StationConnected,
    StationDisconnected,
)
from csms.state.news import record_news, record_variables
from csms.state.permission import list_energy_transfers
from csms.state.plan_rows import pack_plan, record_plan
from csms.state.rebuild import rebuild_state
from csms.state.receipt import Receipt, Recorded
from csms.state.records import Booking, Declaration, PlanRecord
from csms.state.redaction import Redactor
from csms.state.reports import (
    record_boot,
    record_connection,
    record_meter_report,
    record_needs,
    record_status,
)
from csms.state.signals import record_heard, record_signal, record_withdrawal
from csms.state.station_state import StreetState, fold, mark_seen
from csms.state.store import Store, Work
from csms.state.street_meters import ReadingBuffer, record_reading
from csms.state.subscription import DEFAULT_CAPACITY, Subscription
from csms.state.tokens import find_token_status
from csms.state.transactions import record_transaction
from csms.state.wishes import record_booking, record_declaration
from grid.capacity.signals import CapacitySignal, check_signal
from grid.clock import Clock
from grid.errors import DocumentError
from grid.feeds.p1 import MeterReading

logger = logging.getLogger(__name__)

T = TypeVar("T")
_VOLTAGE_V = 230.0
# Nobody knows what a station behind an open door can do.
_GUEST_MAX_POWER_KW = 500.0


class StateService:
    """Records what is said and knows how the street is; the gateway's `RequestHandler`.

    Parameters
    ----------
    store
        Where rows are kept.
    clock
        The street's time.
    catalogue
        What is configured.
    new_id
        Makes ids of sessions, not guessable, never twice the same.
    pepper
        Secret under which station keys are hashed.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        catalogue: Catalogue,
        *,
        new_id: Callable[[], str],
        pepper: bytes = b"",
    ) -> None:
        self.catalogue = catalogue
        self.store = store
        self._clock = clock
        self._new_id = new_id
        self._pepper = pepper
        self._redactor = Redactor(pepper)
        self._state = StreetState()
        self._subscriptions: list[Subscription] = []
        self._recordings: set[asyncio.Task[Any]] = set()
        self._readings = ReadingBuffer()

    @property
    def state(self) -> StreetState:
        """The street as it is now, as far as it is committed."""
        return self._state

    async def start(self) -> None:
        """Write what is configured, and read back what was known when the service last ran."""
        now, catalogue = self._clock.now(), self.catalogue

        def work(session: Session) -> StreetState:
            write_catalogue(session, catalogue)
            return rebuild_state(session, now)

        self._state = await self.store.write(work)

    async def close(self) -> None:
        """Write what waits and let what is being recorded end; the store stays open."""
        for meter_id, reading in self._readings.drain():
            await self.store.write(partial(record_reading, meter_id=meter_id, reading=reading))
        await asyncio.gather(*self._recordings, return_exceptions=True)
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def subscribe(self, capacity: int = DEFAULT_CAPACITY) -> Subscription:
        """Return a reader of all events from now on: a context manager and an asynchronous iterator."""
        subscription = Subscription(self._subscriptions.remove, capacity)
        self._subscriptions.append(subscription)
        return subscription

    # --- the gateway's handler ------------------------------------------------------------------------------

    async def authenticate(self, station_id: str, password: bytes | None) -> bool:
        """Say whether a station may connect: it is known, and shows its key if it has one."""
        if not self.catalogue.knows(station_id):
            return False
        key_hash = await self.store.read(partial(keys.find_key_hash, station_id=station_id))
        if key_hash is None:
            return True
        return password is not None and keys.matches(password, key_hash, self._pepper)

    async def connected(self, station_id: str, version: OcppVersion) -> None:
        """Learn that a station is there."""
        now, station = self._clock.now(), self.catalogue.station(station_id)
        guest = station_id not in self.catalogue.stations

        def work(session: Session) -> tuple[None, tuple[Event, ...]]:
            if guest:
                write_guest_station(session, station)
            record_connection(session, station_id, version.value, now)
            return None, (StationConnected(station_id, version, now),)

        await self._record(work)

    async def disconnected(self, station_id: str) -> None:
        """Learn that a station has gone."""
        now = self._clock.now()

        def work(session: Session) -> tuple[None, tuple[Event, ...]]:
            record_connection(session, station_id, None, now)
            return None, (StationDisconnected(station_id, now),)

        await self._record(work)

    async def handle(self, station_id: str, version: OcppVersion, request: StationRequest) -> Answer:
        """Record a request and answer it, once it is durable.

        Raises
        ------
        RequestError
            When it cannot be recorded as it is.
        """
        self._mark_seen(station_id)
        match request:
            case Heartbeat():
                return HeartbeatAnswer(self._clock.now())
            case Authorize():
                return await self._authorize(station_id, version, request)
            case NewsReport():
                receipt, redactor = self._receive(station_id, version), self._redactor
                return await self._record(
                    lambda session: _split(record_news(session, receipt, request, redactor))
                )
            case VariableReport():
                receipt = self._receive(station_id, version)
                return await self._record(lambda session: _split(record_variables(session, receipt, request)))
            case _:
                receipt = self._receive(station_id, version)
                work = partial(_record_request, receipt=receipt, request=request)
                interval_s = self.catalogue.service.heartbeat_interval_s
                return await self._record(lambda session: _split(work(session, interval_s=interval_s)))

    async def _authorize(self, station_id: str, version: OcppVersion, request: Authorize) -> AuthorizeAnswer:
        token, now = request.id_token.value, self._clock.now()
        status = await self.store.read(partial(find_token_status, value=token, now=now))
        return AuthorizeAnswer(status, list_energy_transfers(self.catalogue, station_id, token, version))

    def _mark_seen(self, station_id: str) -> None:
        """Take note of a sign of life that is no event."""
        self._state = mark_seen(self._state, station_id, self._clock.now())

    def _receive(self, station_id: str, version: OcppVersion) -> Receipt:
        try:
            model = self.catalogue.model_of(station_id)
        except NotFoundError as error:
            raise RequestError(ErrorCode.SECURITY_ERROR, str(error)) from error
        max_power_kw = model.max_current_a * model.phases * _VOLTAGE_V / 1000
        if station_id not in self.catalogue.stations:
            max_power_kw = _GUEST_MAX_POWER_KW
        return Receipt(station_id, version, self._clock.now(), self._new_id(), max_power_kw)

    # --- drivers, owners, meters, plans, operators ----------------------------------------------------------

    async def declare(self, session_id: str, declaration: Declaration) -> SessionDeclared:
        """Record what a driver declares of a running session.

        Raises
        ------
        NotFoundError
            When there is no such session.
        RejectedError
            When it has ended, or a value makes no sense.
        """
        now = self._clock.now()

        def work(session: Session) -> tuple[SessionDeclared, tuple[Event, ...]]:
            declared = record_declaration(session, session_id, declaration, now)
            return declared, (declared,)

        return await self._record(work)

    async def book(self, booking_id: str, booking: Booking) -> BookingMade:
        """Record a booking of a shared car; the same id replaces its booking.

        Raises
        ------
        RejectedError
            When the car is unknown or booked already, or a value makes no sense.
        """
        now, catalogue = self._clock.now(), self.catalogue

        def work(session: Session) -> tuple[BookingMade, tuple[Event, ...]]:
            made = record_booking(session, catalogue, booking_id, booking, now)
            return made, (made,)

        return await self._record(work)

    async def receive_signal(self, signal: CapacitySignal) -> bool:
        """Take a capacity signal; False when it was taken before.

        Raises
        ------
        DocumentError
            With everything that is wrong with it; the earlier ones stay in force.
        """
        now = self._clock.now()
        problems = check_signal(signal, self.catalogue.topology, now)
        if problems:
            raise DocumentError(f"signal {signal.id}", problems)

        def work(session: Session) -> tuple[bool, tuple[Event, ...]]:
            taken = record_signal(session, signal)
            return taken, (SignalReceived(signal, now),) if taken else ()

        return await self._record(work)

    async def withdraw_signal(self, sender: str, signal_id: str) -> None:
        """Take a capacity signal back.

        Raises
        ------
        NotFoundError
            When there is no such signal that still counts.
        """
        now = self._clock.now()

        def work(session: Session) -> tuple[None, tuple[Event, ...]]:
            return None, (record_withdrawal(session, sender, signal_id, now),)

        await self._record(work)

    async def hear_sender(self, sender: str, offline_at: datetime | None) -> None:
        """Note a sign of life of a sender of signals: its fallback rules from ``offline_at`` on."""
        now = self._clock.now()

        def work(session: Session) -> tuple[None, tuple[Event, ...]]:
            return None, (record_heard(session, sender, offline_at, now),)

        await self._record(work)

    async def record_reading(self, meter_id: str, reading: MeterReading) -> None:
        """Take in a telegram of one of the street's meters; not every one is written, see `ReadingBuffer`."""
        event = MeterRead(meter_id, reading.at, reading.power_kw, reading.import_kwh, reading.export_kwh)
        chosen = self._readings.take(meter_id, reading)
        if not chosen:
            self._publish(event)
            return
        await self._record(partial(_record_readings, meter_id=meter_id, readings=chosen, event=event))

    async def record_plan(self, record: PlanRecord) -> None:
        """Record a plan."""
        row = pack_plan(record)
        await self.store.write(partial(record_plan, row=row))

    async def new_station_key(self, station_id: str) -> str:
        """Give a station a new key and return it: the only time that anybody sees it.

        Raises
        ------
        NotFoundError
            When the station is not configured.
        """
        key = keys.generate_key()
        key_hash = keys.hash_key(key.encode(), self._pepper)
        await self.store.write(partial(keys.store_key_hash, station_id=station_id, key_hash=key_hash))
        return key

    async def new_access_token(self, name: str, role: Role, expires_at: datetime | None) -> str:
        """Make a token of the API and return it: the only time that anybody sees it.

        Raises
        ------
        ConflictError
            When the name was given before.
        """
        secret = keys.generate_key()
        token = AccessToken(name, role, self._clock.now(), expires_at)
        token_hash = keys.hash_key(secret.encode(), self._pepper)
        await self.store.write(partial(add_access_token, token=token, token_hash=token_hash))
        return secret

    async def identify(self, secret: str) -> AccessToken | None:
        """Return the token that opens with a secret now, None when none does."""
        token_hash = keys.hash_key(secret.encode(), self._pepper)
        found = await self.store.read(partial(find_access_token, token_hash=token_hash))
        return found if found is not None and found.is_valid(self._clock.now()) else None

    # --- record, fold, publish ------------------------------------------------------------------------------

    async def _record(self, work: Work[tuple[T, tuple[Event, ...]]]) -> T:
        """Commit, then fold and publish, even when whoever asked has left meanwhile."""
        task = asyncio.get_running_loop().create_task(self._commit(work))
        self._recordings.add(task)
        task.add_done_callback(self._recorded)
        return await asyncio.shield(task)

    async def _commit(self, work: Work[tuple[T, tuple[Event, ...]]]) -> T:
        result, events = await self.store.write(work)
        for event in events:
            self._publish(event)
        return result

    def _publish(self, event: Event) -> None:
        self._state = fold(self._state, event)
        for subscription in self._subscriptions:
            subscription.put(event)

    def _recorded(self, task: asyncio.Task[Any]) -> None:
        self._recordings.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.debug("a recording failed: %r", task.exception())  # whoever asked is told


def _split(recorded: Recorded) -> tuple[Answer, tuple[Event, ...]]:
    return recorded.answer, recorded.events


def _record_readings(
    session: Session, *, meter_id: str, readings: tuple[MeterReading, ...], event: Event
) -> tuple[None, tuple[Event, ...]]:
    for reading in readings:
        record_reading(session, meter_id, reading)
    return None, (event,)


def _record_request(
    session: Session,
    *,
    receipt: Receipt,
    request: Boot | StatusReport | TransactionReport | MeterReport | ChargingNeeds,
    interval_s: int,
) -> Recorded:
    match request:
        case Boot():
            return record_boot(session, receipt, request, interval_s)
        case StatusReport():
            return record_status(session, receipt, request)
        case TransactionReport():
            return record_transaction(session, receipt, request)
        case MeterReport():
            return record_meter_report(session, receipt, request)
        case ChargingNeeds():
            return record_needs(session, receipt, request)
        case _:
            assert_never(request)
