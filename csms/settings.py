"""What the central system is told: the tables ``[service]`` and ``[[stations]]``, and station models."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from csms.ocpp.dialects import DischargeDialect
from csms.ocpp.vocabulary import OcppVersion, RateUnit
from grid.config import StrictModel
from grid.feeds.openadr import check_ven_name
from grid.tariffs.driver import DriverPricing

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Amount = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]


class PhaseRotation(StrEnum):
    """Which conductors of the connection feed phases 1, 2, 3 of an EVSE, in the letters of OCPP."""

    RST = "RST"
    RTS = "RTS"
    SRT = "SRT"
    STR = "STR"
    TRS = "TRS"
    TSR = "TSR"
    UNKNOWN = "unknown"

    @property
    def conductors(self) -> tuple[int, int, int] | None:
        """Index of the connection's phase behind phases 1, 2 and 3; None when nobody knows."""
        if self is PhaseRotation.UNKNOWN:
            return None
        first, second, third = ("RST".index(letter) for letter in self.value)
        return first, second, third


class StationModel(StrictModel):
    """``configs/stations/*.toml``: what a type of charging station understands.

    Parameters
    ----------
    protocol
        Its OCPP version.
    vendor, model
        As it says in its boot message.
    rate_unit
        Unit of its schedules.
    max_periods, max_stack_level
        Most periods of one schedule, highest stack level.
    phases, max_current_a, min_current_a
        Phases of a socket, and current of each phase [A].
    discharge_dialect
        How it is told to discharge.
    grid_code_conformant
        Whether it may feed in together with a conformant vehicle.
    """

    protocol: OcppVersion
    vendor: str = Field(min_length=1)
    model: str = Field(min_length=1)
    rate_unit: RateUnit = RateUnit.AMPERE
    max_periods: int = Field(default=24, ge=1)
    max_stack_level: int = Field(default=8, ge=1)
    phases: int = Field(default=3, ge=1, le=3)
    max_current_a: Positive = 16.0
    min_current_a: Amount = 6.0
    discharge_dialect: DischargeDialect = DischargeDialect.NONE
    grid_code_conformant: bool = False


class EvseConfig(StrictModel):
    """One EVSE of a station.

    Parameters
    ----------
    id
        Number within the station, from 1 (OCPP 1.6: connector).
    emi3
        Its public name, like ``NL*WIJ*E0019*1``.
    phase_rotation
        How its phases lie on those of the connection: ``RST`` is straight.
    """

    id: int = Field(ge=1)
    emi3: str = Field(min_length=1)
    phase_rotation: PhaseRotation = PhaseRotation.RST


class StationConfig(StrictModel):
    """``[[stations]]``: a charging station of the street.

    Parameters
    ----------
    id
        Its OCPP identity.
    connection
        The grid connection it hangs on.
    model
        Its model entry.
    evses
        Its sockets.
    latitude, longitude
        Where it stands [deg north, deg east]; without them, where the street is.
    lot
        Lot of the concession that it belongs to; without it, the street's name.
    """

    id: str = Field(min_length=1, max_length=48)
    connection: str
    model: str
    evses: tuple[EvseConfig, ...] = Field(min_length=1)
    latitude: Annotated[float, Field(ge=-90.0, le=90.0)] | None = None
    longitude: Annotated[float, Field(ge=-180.0, le=180.0)] | None = None
    lot: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _numbered_once(self) -> Self:
        numbers = [evse.id for evse in self.evses]
        if len(set(numbers)) != len(numbers):
            raise ValueError("evses must have different ids: number them 1, 2, ...")
        return self

    @model_validator(mode="after")
    def _whole_place(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude belong together: give both or neither")
        return self

    def evse(self, evse_id: int) -> EvseConfig | None:
        """Return an EVSE by its number."""
        return next((evse for evse in self.evses if evse.id == evse_id), None)


class VehicleConfig(StrictModel):
    """``[[service.vehicles]]``: a car that the owner has made known, with what it may be used for.

    Parameters
    ----------
    id, token
        Our name for it, and the id token that it or its driver shows.
    capacity_kwh
        Usable battery energy [kWh].
    max_charge_kw, max_discharge_kw
        Most power of its charger, AC side [kW].
    phases
        Phases on which it charges.
    charge_efficiency, discharge_efficiency
        Battery energy per energy at the socket, and the reverse when discharging [fraction].
    discharge_opt_in
        Whether its owner allows discharging.
    floor_soc_fraction
        Never discharged below; needed for discharging [fraction].
    conformant_models
        Station models with which it is known to conform to the grid code when it feeds in.
    """

    id: str = Field(min_length=1)
    token: str = Field(min_length=1)
    capacity_kwh: Positive
    max_charge_kw: Positive
    max_discharge_kw: Amount = 0.0
    phases: int = Field(default=3, ge=1, le=3)
    charge_efficiency: Annotated[float, Field(gt=0.0, le=1.0)] = 0.93
    discharge_efficiency: Annotated[float, Field(gt=0.0, le=1.0)] = 0.93
    discharge_opt_in: bool = False
    floor_soc_fraction: Fraction | None = None
    conformant_models: tuple[str, ...] = ()


class MeterRole(StrEnum):
    """What a meter of the street measures."""

    NODE = "node"
    PV = "pv"


class MeterConfig(StrictModel):
    """``[[service.meters]]``: a P1 meter of the street.

    Parameters
    ----------
    id
        Our name for it.
    role
        ``node``: all that flows through a node; ``pv``: the array that feeds it.
    node
        Which node.
    host, port
        Where its telegrams come from; port 0 while a demo chooses one.
    stale_after_s
        A reading older than this is not trusted [s].
    """

    id: str = Field(min_length=1)
    role: MeterRole
    node: str
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    stale_after_s: Positive = 60.0


class OscpPartnerConfig(StrictModel):
    """``[[service.oscp_partners]]``: a grid operator that speaks OSCP 2.0.

    Parameters
    ----------
    name
        Our name for it: the sender of its signals.
    groups
        Its group ids, and which of our nodes or connections each is.
    heartbeat_interval_s
        How often we want to hear from it [s].
    """

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9 ._:-]+$")
    groups: dict[str, str] = Field(min_length=1)
    heartbeat_interval_s: int = Field(default=60, ge=5, le=86_400)


class OpenAdrVtnConfig(StrictModel):
    """``[[service.openadr_vtns]]``: a grid operator's VTN of OpenADR 3.1 with the GAC profile.

    Parameters
    ----------
    name
        Our name for it: the sender of its signals.
    url
        Its base URL.
    ven_name, client_id
        Who we are there; the secret is in the environment, ``WIJKSTROOM_OPENADR_SECRETS``.
    groups
        By EAN, which of our nodes it stands for; an EAN of a connection needs no entry.
    poll_interval_s
        How often it is asked [s].
    webhook
        Whether it shall also tell changes at once, to an address below ``public_url``.
    """

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9 ._:-]+$")
    url: str = Field(pattern=r"^https?://")
    ven_name: Annotated[str, AfterValidator(check_ven_name)]
    client_id: str = Field(min_length=1)
    groups: dict[str, str] = Field(default_factory=dict)
    poll_interval_s: int = Field(default=60, ge=5, le=3600)
    webhook: bool = False


class UnknownSessionConfig(StrictModel):
    """``[service.unknown_session]``: what is assumed of a driver who says nothing.

    Parameters
    ----------
    energy_quantiles_kwh
        Energy that sessions take, at equally spaced probabilities from 0 to 1, ascending [kWh].
    planned_quantile
        Which of them a session is planned for, given what it took already.
    stay_h
        How long it is expected to stay at least, from the moment of planning [h].
    """

    energy_quantiles_kwh: tuple[Amount, ...] = (0.3, 3.6, 6.7, 9.8, 13.5, 18.2, 24.1, 31.0, 39.5, 50.8, 95.0)
    planned_quantile: Fraction = 0.8
    stay_h: Positive = 4.0

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        values = self.energy_quantiles_kwh
        if len(values) < 2 or list(values) != sorted(values):  # noqa: PLR2004 - a range has two ends
            raise ValueError("energy_quantiles_kwh must have two values or more, ascending")
        return self


class RetentionConfig(StrictModel):
    """``[service.retention]``: how long what grows is kept.

    Parameters
    ----------
    samples_days
        Samples of a session after its end; then its energy per quarter is kept instead [days]. At least as
        long as stations may hold messages back.
    messages_days
        The message log, and samples that could not be read [days].
    plans_days
        Plans with their problems [days].
    load_forecasts_days
        What suppliers were told a day ahead: imbalance is corrected for up to 17 months [days].
    """

    samples_days: int = Field(default=62, ge=31)
    messages_days: int = Field(default=30, ge=1)
    plans_days: int = Field(default=90, ge=1)
    load_forecasts_days: int = Field(default=550, ge=1)


class ComplianceConfig(StrictModel):
    """``[service.compliance]``: how it is judged whether limits were kept.

    Parameters
    ----------
    notice_s
        A signal counts in full for quarters that begin so long after it came, or later; what is above it in
        an earlier one is reported apart [s].
    tolerance_kw
        Less than this above a limit is what meters round off [kW].
    """

    notice_s: Amount = 60.0
    tolerance_kw: Amount = 0.05


class FleetConfig(StrictModel):
    """``[service.fleet]``: how fast the whole fleet may move, and what one person may not do alone.

    Parameters
    ----------
    ramp_cap_mw_per_min
        The most that charging may rise in a minute: a larger step is spread [MW/min].
    reversal_cap_mw_per_min
        The most power that may change its direction in a minute [MW/min].
    stations_alone
        Stations that operators may act on within ten minutes before a second person must agree.
    """

    ramp_cap_mw_per_min: Positive = 10.0
    reversal_cap_mw_per_min: Positive = 10.0
    stations_alone: int = Field(default=25, ge=1)


class LoadForecastConfig(StrictModel):
    """``[service.load_forecast]``: what suppliers are told a day ahead.

    Parameters
    ----------
    made_at
        When tomorrow's forecast is made and kept, local time; before 10:00, when suppliers need it.
    folder
        Where it is written as a CSV file, ``load-forecast-DAY.csv``; None: it is only offered by the API.
    """

    made_at: time = time(9, 30)
    folder: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.made_at.tzinfo is not None or self.made_at >= time(10):
            raise ValueError("made_at must be a local time before 10:00, like 09:30")
        return self


class ServiceConfig(StrictModel):
    """``[service]``: how the central system works on this street.

    Parameters
    ----------
    heartbeat_interval_s
        How often stations say that they live [s].
    meter_interval_s
        How often stations sample their meters [s].
    horizon_h
        How far plans look ahead [h].
    replan_delay_s
        Arrivals and departures within so long are planned together [s].
    plan_budget_s
        Real seconds that a plan may take before the worker is killed.
    plan_gap
        Relative distance from the bound at which the search may stop [fraction].
    fallback_current_a
        What a socket may draw per phase while it has no plan [A].
    profile_writes_per_station_day
        How many charging profiles a station is written in a day, reductions aside: each wears its memory.
    power_factor
        Share of a limit in kVA that is counted on as active power [fraction].
    degradation_eur_per_kwh
        Wear per kWh discharged [EUR/kWh].
    public_url
        Where others reach our HTTP port; None: at the address that it listens on.
    unknown_session, vehicles, meters, retention, fleet, compliance, pricing, oscp_partners, openadr_vtns
        As said there.
    load_forecast
        What suppliers are told a day ahead.
    """

    heartbeat_interval_s: int = Field(default=900, ge=10)
    meter_interval_s: int = Field(default=300, ge=5)
    horizon_h: float = Field(default=24.0, ge=1.0, le=72.0)
    replan_delay_s: Positive = 15.0
    plan_budget_s: Positive = 8.0
    plan_gap: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.005
    fallback_current_a: Annotated[float, Field(ge=6.0)] = 6.0
    profile_writes_per_station_day: int = Field(default=100, ge=1)
    power_factor: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    degradation_eur_per_kwh: Amount = 0.06
    unknown_session: UnknownSessionConfig = UnknownSessionConfig()
    vehicles: tuple[VehicleConfig, ...] = ()
    meters: tuple[MeterConfig, ...] = ()
    retention: RetentionConfig = RetentionConfig()
    fleet: FleetConfig = FleetConfig()
    compliance: ComplianceConfig = ComplianceConfig()
    load_forecast: LoadForecastConfig = LoadForecastConfig()
    pricing: DriverPricing | None = None
    public_url: str | None = None
    oscp_partners: tuple[OscpPartnerConfig, ...] = ()
    openadr_vtns: tuple[OpenAdrVtnConfig, ...] = ()
