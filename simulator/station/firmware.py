"""The firmware of a station, without any input or output: cable, card, transaction, profiles, meter values.

What it has to say lands in its outbox; whoever owns it (the OCPP client) sends that and tells what was
answered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from simulator.setup import StationSetup
from simulator.station.composite import CompositeRules, Step, compute_composite
from simulator.station.evse import Defect, Evse, PlugIn
from simulator.station.messages import (
    AuthorizeToken,
    Boot,
    Context,
    Heartbeat,
    MeterReport,
    NeedsReport,
    Outbox,
    Reading,
    StatusChange,
    TransactionEnded,
    TransactionRecord,
    TransactionStarted,
    TransactionUpdated,
    Trigger,
    UpkeepReport,
)
from simulator.station.offers import compute_offers
from simulator.station.profiles import Kind, Profile, ProfileStore, Purpose, SchedulePeriod
from simulator.station.rules import hold_until, last_per_second, next_multiple, next_sequence, profile_rules
from simulator.station.settings import MEASURANDS, Settings
from simulator.station.transitions import path_between
from simulator.station.upkeep import Reservation, Upkeep
from simulator.vehicle.charging import PAUSE, BatteryState
from simulator.vehicle.model import on_direct_current
from simulator.vehicle.socket import AHEAD_S

# Offers are computed so far ahead; before that is over they are computed again.
OFFERS_AHEAD_S = 2 * 3600
_OFFERS_MARGIN_S = 2 * AHEAD_S
_EPOCH = datetime.fromtimestamp(0, UTC)


class Firmware:
    """One station.

    Parameters
    ----------
    setup
        What it is.
    evses
        Its sockets by number.
    settings
        Intervals that the central system may change.
    origin
        The instant of second 0 of the run (aware).
    new_id
        Makes names of transactions, at most 36 characters, never twice the same.
    """

    def __init__(
        self,
        setup: StationSetup,
        evses: Mapping[int, Evse],
        settings: Settings,
        origin: datetime,
        new_id: Callable[[], str],
    ) -> None:
        self.setup = setup
        self.evses = dict(evses)
        self.settings = settings
        self.outbox = Outbox()
        self.online = False
        self.profiles = ProfileStore(profile_rules(setup))
        self.upkeep = Upkeep()
        self.refused_tokens = 0
        self.profile_writes = 0
        self._origin = origin
        self._new_id = new_id
        self._composite_rules = CompositeRules(
            needs_period=not self.profiles.rules.same_level_replaces, switches_phases=setup.switches_phases
        )
        self._offers_until_s = math.inf
        self._offline_since: datetime | None = None
        self._looked_at: dict[int, datetime] = {}

    def second_of(self, instant: datetime) -> int:
        """Return the second of the run that an instant lies in."""
        return math.floor((instant - self._origin).total_seconds())

    # --- what people do -------------------------------------------------------------------------------------

    def plug_in(self, evse_id: int, plug: PlugIn, now: datetime) -> None:
        """Put a car's cable in and hold a card to the reader."""
        evse = self.evses[evse_id]
        model = plug.model
        if self.setup.direct_current:
            # Without communication there is no direct current: every car tells its needs.
            plug = replace(plug, communicates=True)
            station_kw = model.power_kw(self.setup.max_current_a, self.setup.phases)
            model = on_direct_current(model, station_kw)
        evse.plug, evse.finished = plug, False
        evse.socket.plug_in(model, plug.battery, self.second_of(now))
        self._report_status(evse, now)
        if evse.operative and evse.current_fraction > 0.0:
            self._show_card(evse_id, plug.token, now)

    def unplug(self, evse_id: int, now: datetime) -> BatteryState:
        """Take the cable out; ends the transaction."""
        evse = self.evses[evse_id]
        if evse.record is not None:
            self._close(evse, Trigger.EV_DEPARTED, "EVDisconnected", now)
        battery = evse.socket.unplug(self.second_of(now))
        evse.plug = None
        self._report_status(evse, now)
        return battery

    # --- what the central system answers and asks --------------------------------------------------------

    def authorized(
        self,
        evse_id: int,
        token: str,
        *,
        accepted: bool,
        now: datetime,
        trigger: Trigger = Trigger.AUTHORIZED,
    ) -> None:
        """Take the answer to a card: begin the transaction, or leave the car without power."""
        evse = self.evses[evse_id]
        if evse.plug is None or evse.record is not None or not evse.operative or not evse.current_fraction:
            return
        if not accepted:
            self.refused_tokens += 1
            return
        record = TransactionRecord(self._new_id(), evse_id, token, now)
        evse.record = record
        self.upkeep.reservations.pop(evse_id, None)
        self._looked_at[evse_id] = now
        reading = self._read(evse, now, Context.BEGIN)
        sequence = next_sequence(record)
        self.outbox.put(TransactionStarted(record, now, trigger, reading, sequence, offline=not self.online))
        self.refresh(now)
        needs = evse.needs(self.second_of(now))
        if needs is not None:
            self.outbox.put(NeedsReport(record, needs, now))
        self._watch_state(evse, now)

    def end_transaction(self, evse_id: int, trigger: Trigger, reason: str, now: datetime) -> None:
        """End the transaction of an EVSE; the cable may stay."""
        evse = self.evses[evse_id]
        self._close(evse, trigger, reason, now)
        self._report_status(evse, now)

    def deauthorize(self, record: TransactionRecord, now: datetime) -> None:
        """End a transaction whose card the central system does not take, if it still runs."""
        if self.is_running(record):
            self.end_transaction(record.evse_id, Trigger.DEAUTHORIZED, "DeAuthorized", now)

    def is_running(self, record: TransactionRecord) -> bool:
        """Say whether a transaction still runs."""
        return self.evses[record.evse_id].record is record

    def set_profile(self, profile: Profile, now: datetime) -> None:
        """Install a charging profile.

        Raises
        ------
        ProfileRefusedError
            When it breaks a rule of the standard or of this model.
        """
        bent = self.setup.quirks.bend_profile(profile, now, self._origin, self.profile_writes)
        self.profile_writes += 1
        if bent is None:
            return
        profile = bent
        if profile.kind is Kind.DYNAMIC and profile.start_s is None:
            profile = replace(profile, start_s=now.timestamp())
        self.profiles.install(profile, [one.record.id for one in self.evses.values() if one.record])
        self.refresh(now)

    def clear_profiles(
        self,
        now: datetime,
        *,
        profile_id: int | None = None,
        evse_id: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Remove profiles; return how many."""
        cleared = self.profiles.clear(
            profile_id=profile_id, evse_id=evse_id, purpose=purpose, stack_level=stack_level
        )
        self.refresh(now)
        return cleared

    def update_profile(self, profile_id: int, period: SchedulePeriod, now: datetime) -> bool:
        """Change a dynamic profile."""
        known = self.profiles.update(profile_id, period, now.timestamp())
        self.refresh(now)
        return known

    def composite(self, evse_id: int, duration_s: int, now: datetime) -> list[Step]:
        """Return the composite schedule from now on."""
        evse = self.evses.get(evse_id)
        return compute_composite(
            self._holding_profiles(),
            evse_id,
            evse.transaction if evse else None,
            now.timestamp(),
            duration_s,
            self._composite_rules,
        )

    def set_availability(self, evse_id: int | None, now: datetime, *, operative: bool) -> bool:
        """Take sockets out of service or back; return whether one waits for the end of its transaction."""
        waiting = False
        for evse in self.evses.values():
            if evse_id in {None, 0, evse.id} and evse.operative is not operative:
                evse.operative = operative
                waiting = waiting or (not operative and evse.record is not None)
                self._report_status(evse, now)
                if operative and evse.plug is not None and evse.record is None and not evse.finished:
                    self._show_card(evse.id, evse.plug.token, now)
        return waiting

    def find_record(self, evse_id: int | None = None, transaction: str | int | None = None) -> Evse | None:
        """Return the EVSE of a running transaction, by EVSE or by either of its names."""
        for evse in self.evses.values():
            record = evse.record
            if record is not None and (evse.id == evse_id or transaction in {record.id, record.server_id}):
                return evse
        return None

    def trigger(self, message: str, evse_id: int | None, now: datetime) -> bool:
        """Send something again on request; False when this firmware does not know it."""
        chosen = [one for one in self.evses.values() if evse_id in {None, 0, one.id}]
        match message:
            case "BootNotification":
                self.outbox.put(Boot("Triggered"))
            case "Heartbeat":
                self.outbox.put(Heartbeat())
            case "StatusNotification":
                for evse in chosen:
                    self.outbox.put(StatusChange(evse.id, evse.connector_state(), now, evse.error))
            case "MeterValues" | "TransactionEvent":
                for evse in chosen:
                    self._report_meter(evse, Trigger.TRIGGER, Context.TRIGGER, now)
            case _:
                return False
        return True

    def go_offline(self, now: datetime) -> None:
        """Lose the central system: cards that wait for its answer are taken, what is stale is dropped."""
        self.online = False
        self._offline_since = self._offline_since or now
        for message in self.outbox.waiting[:]:
            if isinstance(message, AuthorizeToken):
                self.authorized(message.evse_id, message.token, accepted=True, now=now)
        self.outbox.forget_volatile()
        self.refresh(now)

    def go_online(self, now: datetime) -> None:
        """Be accepted by the central system."""
        self.online = True
        self._offline_since = None
        self.refresh(now)

    def break_socket(self, evse_id: int, name: str, defect: Defect, now: datetime) -> None:
        """Let something at a socket break; it may end the transaction."""
        evse = self.evses[evse_id]
        evse.defects[name] = defect
        if evse.record is not None and defect.reason is not None:
            self._close(evse, Trigger.ABNORMAL_CONDITION, defect.reason, now)
        self.refresh(now)
        self._report_status(evse, now)

    def mend_socket(self, evse_id: int, name: str, now: datetime) -> None:
        """Let what broke be whole again; a car that waited for it shows its card."""
        evse = self.evses[evse_id]
        if evse.defects.pop(name, None) is None:
            return
        self.refresh(now)
        self._report_status(evse, now)
        if evse.plug is not None and evse.record is None and not evse.finished and evse.operative:
            self._show_card(evse_id, evse.plug.token, now)

    def tap_card(self, evse_id: int, token: str, now: datetime) -> None:
        """Hold a card to the reader: it ends the transaction that it began, else it asks for one."""
        record = self.evses[evse_id].record
        if record is None:
            self._show_card(evse_id, token, now)
        elif record.token == token:
            self.end_transaction(evse_id, Trigger.STOP_AUTHORIZED, "Local", now)

    def lose_power(self, now: datetime) -> None:
        """Go dark: what runs ends, and is told after the power is back."""
        self.go_offline(now)
        for evse in self.evses.values():
            evse.powered = False
            if evse.record is not None:
                self._close(evse, Trigger.ABNORMAL_CONDITION, "PowerLoss", now)

    def write_instant(self, at: datetime) -> datetime:
        """Return an instant as the station's own clock and zone have it."""
        return self.setup.quirks.written_instant(at, self._origin)

    def rebooted(self, now: datetime) -> None:
        """Come back from a reset: what lives in memory is gone, transactions go on."""
        for evse in self.evses.values():
            evse.powered = True
        self.profiles.reboot()
        self.outbox.forget_volatile()
        self.refresh(now)

    # --- what time does -------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> None:
        """Do what is due: meter values, changes of state, offers further ahead."""
        self._follow_agenda(now)
        if self.second_of(now) + _OFFERS_MARGIN_S > self._offers_until_s:
            self.refresh(now)
        for evse in self.evses.values():
            if evse.record is None:
                continue
            self._sample(evse, now)
            self._watch_state(evse, now)

    def _follow_agenda(self, now: datetime) -> None:
        for due in self.upkeep.agenda.take(now):
            if isinstance(due, UpkeepReport):
                self.outbox.put(due)
            elif isinstance(due, Reservation) and self.upkeep.cancel(due.id) is not None:
                self._report_status(self.evses[due.evse_id], now)

    def reserve(self, reservation: Reservation, now: datetime) -> str:
        """Keep a socket for a card; return the standard's word for how it went."""
        evse = self.evses[reservation.evse_id]
        if evse.refusal is not None or not self.upkeep.admits(evse.id, reservation.token):
            return evse.refusal or "Occupied"
        self.upkeep.reserve(reservation)
        self._report_status(evse, now)
        return "Accepted"

    def cancel_reservation(self, reservation_id: int, now: datetime) -> bool:
        """Give a reserved socket free; False when there is no such reservation."""
        evse_id = self.upkeep.cancel(reservation_id)
        if evse_id is not None:
            self._report_status(self.evses[evse_id], now)
        return evse_id is not None

    def next_wake(self, now: datetime) -> datetime:
        """Return when the next thing is due."""
        later = self.upkeep.agenda.next_due
        due = [now + timedelta(seconds=AHEAD_S), *([] if later is None else [later])]
        second = self.second_of(now)
        for evse in self.evses.values():
            if evse.record is None:
                continue
            change = evse.socket.next_change(second)
            if change is not None:
                due.append(self._origin + timedelta(seconds=change))
            due.extend(instant for instant, *_ in self._readings_after(evse.record, now))
        return min(due)

    def refresh(self, now: datetime) -> None:
        """Let every socket offer what the profiles say from now on."""
        second = self.second_of(now)
        running = {evse.id: one for evse in self.evses.values() if (one := evse.transaction) is not None}
        steps = compute_offers(
            self._holding_profiles(),
            running,
            self.setup.max_current_a,
            self._origin.timestamp() + second,
            OFFERS_AHEAD_S,
            self._composite_rules,
            self.setup.shared_current_a or math.inf,
        )
        for evse_id, own in steps.items():
            evse = self.evses[evse_id]
            offers = [(self._begin_second(one.start_s), evse.limited(one.offer)) for one in own]
            evse.socket.offer(last_per_second(offers), second)
        self._offers_until_s = second + OFFERS_AHEAD_S

    def _holding_profiles(self) -> tuple[Profile, ...]:
        """Return the profiles, without a connection none beyond the time that it bears that."""
        if self._offline_since is None:
            return self.profiles.profiles
        since_s = self._offline_since.timestamp()
        return tuple(hold_until(one, since_s) for one in self.profiles.profiles)

    def _show_card(self, evse_id: int, token: str, now: datetime) -> None:
        if not self.upkeep.admits(evse_id, token):
            self.refused_tokens += 1
        elif self.online:
            self.outbox.put(AuthorizeToken(evse_id, token))
        elif not self.upkeep.cards.accepts_offline(token):
            self.refused_tokens += 1
        else:
            self.authorized(evse_id, token, accepted=True, now=now)

    def _close(self, evse: Evse, trigger: Trigger, reason: str, now: datetime) -> None:
        record, evse.record, evse.finished = evse.record, None, True
        assert record is not None, "asked only for a running transaction"
        second = self.second_of(now)
        reading = self._read(evse, now, Context.END)
        sequence = next_sequence(record)
        self.outbox.put(
            TransactionEnded(record, now, trigger, reading, sequence, reason, offline=not self.online)
        )
        self.profiles.end_transaction(record.id)
        evse.socket.offer([(second, PAUSE)], second)
        self.refresh(now)

    def _begin_second(self, start_s: float) -> int:
        """Return the first whole second of the run at or after an instant."""
        return math.ceil(round(start_s - self._origin.timestamp(), 3))

    def _sample(self, evse: Evse, now: datetime) -> None:
        """Read the meter when a reading came due since the last look."""
        assert evse.record is not None, "asked only for a running transaction"
        since, self._looked_at[evse.id] = self._looked_at[evse.id], now
        for instant, trigger, context in self._readings_after(evse.record, since):
            if instant <= now:
                self._report_meter(evse, trigger, context, now)

    def _readings_after(
        self, record: TransactionRecord, instant: datetime
    ) -> Iterator[tuple[datetime, Trigger, Context]]:
        """Yield the next reading on the clock and the next one since the transaction began."""
        settings = self.settings
        if settings.aligned_s > 0:
            due = next_multiple(_EPOCH, settings.aligned_s, instant)
            yield due, Trigger.METER_VALUE_CLOCK, Context.CLOCK
        if settings.sampled_s > 0:
            due = next_multiple(record.started_at, settings.sampled_s, instant)
            yield due, Trigger.METER_VALUE_PERIODIC, Context.PERIODIC

    def _report_meter(self, evse: Evse, trigger: Trigger, context: Context, now: datetime) -> None:
        aligned = context is Context.CLOCK
        asked = self.settings.aligned_measurands if aligned else self.settings.sampled_measurands
        reading = self._read(evse, now, context, asked)
        record = evse.record
        if record is None:
            self.outbox.put(MeterReport(evse.id, reading))
            return
        self.outbox.put(
            TransactionUpdated(
                record,
                now,
                trigger,
                record.state,
                next_sequence(record),
                reading,
                offline=not self.online,
            )
        )

    def _read(
        self, evse: Evse, now: datetime, context: Context, asked: Collection[str] = MEASURANDS
    ) -> Reading:
        reading = evse.read(self.second_of(now), now, context, asked)
        return self.setup.quirks.bend_reading(reading)

    def _watch_state(self, evse: Evse, now: datetime) -> None:
        record = evse.record
        assert record is not None, "asked only for a running transaction"
        state = evse.charging_state(self.second_of(now))
        if state is record.state:
            self._report_status(evse, now)
            return
        record.state = state
        self.outbox.put(
            TransactionUpdated(
                record,
                now,
                Trigger.CHARGING_STATE_CHANGED,
                state,
                next_sequence(record),
                offline=not self.online,
            )
        )
        self._report_status(evse, now)

    def _report_status(self, evse: Evse, now: datetime) -> None:
        evse.reserved = evse.id in self.upkeep.reservations
        said = evse.connector_state(), evse.error
        if said == evse.reported:
            return
        before, evse.reported = evse.reported[0], said
        path = (said[0],) if before is said[0] else path_between(before, said[0])
        for state in path[:-1]:
            self.outbox.put(StatusChange(evse.id, state, now))
        self.outbox.put(StatusChange(evse.id, said[0], now, said[1]))
