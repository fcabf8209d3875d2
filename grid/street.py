"""The grid side of a street file: [street] [[nodes]] [[connections]] [prices] [tariff] [sun]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from grid.config import Document, ProblemCollector, StrictModel
from grid.feeds.day_ahead import PriceFeed
from grid.feeds.weather import WeatherFeed
from grid.load import LoadProfile
from grid.solar.climate import Climate
from grid.solar.forecast import SunConfig
from grid.solar.irradiance import ClimateIrradiance, FileIrradiance, IrradianceSource
from grid.solar.live import Models
from grid.solar.model import PvArray
from grid.solar.model_file import read_models
from grid.tariffs.energy import PriceBook, PriceSeries
from grid.tariffs.imbalance import ImbalancePrices
from grid.tariffs.network import NetworkTariff, SmallConnectionTariff, load_sheet
from grid.topology import NOMINAL_VOLTAGE_V, Connection, Limit, Node, NodeKind, Topology

TABLES = ("street", "nodes", "connections", "prices", "tariff", "sun")
CLIMATE = "climate"
Capacity = Annotated[float, Field(ge=0.0)]
ValueT = TypeVar("ValueT")
Resolve = Callable[[str], Path]


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone: use a name like Europe/Amsterdam") from error
    return name


class StreetTable(StrictModel):
    """``[street]``: where and what.

    Parameters
    ----------
    name
        Its name, for people.
    timezone
        Name of its time zone, like Europe/Amsterdam.
    latitude, longitude
        Place [deg north, deg east].
    voltage_v
        Voltage between phase and neutral [V].
    """

    name: str = Field(min_length=1)
    timezone: Annotated[str, AfterValidator(_check_timezone)]
    latitude: float = Field(ge=-90.0, le=90.0)
    longitude: float = Field(ge=-180.0, le=180.0)
    voltage_v: float = Field(default=NOMINAL_VOLTAGE_V, gt=0.0)


class NodeTable(StrictModel):
    """``[[nodes]]``: a place in the network.

    Parameters
    ----------
    id, kind, parent
        Its name, its level, and the node above it (none for the root).
    households
        Households whose base load hangs directly on it.
    annual_kwh_per_household
        Their mean yearly consumption [kWh].
    load_profile
        CSV file that spreads the consumption over the year.
    limits
        What may flow through it.
    """

    id: str = Field(min_length=1)
    kind: NodeKind
    parent: str | None = None
    households: int = Field(default=0, ge=0)
    annual_kwh_per_household: float = Field(default=0.0, ge=0.0)
    load_profile: str | None = None
    limits: tuple[Limit, ...] = ()


class ImbalanceTable(StrictModel):
    """``[prices.imbalance]``: plans price what leaves the day-ahead forecast at these prices.

    Parameters
    ----------
    file
        CSV file of imbalance prices, like that of day-ahead prices; both directions pay the same.
    known_before_minutes
        How long before a quarter begins its price is known; 0: plans use the running quarter's only [min].
    """

    file: str
    known_before_minutes: float = Field(default=0.0, ge=0.0, le=1440.0)


class PricesTable(StrictModel):
    """``[prices]``: the energy market.

    Parameters
    ----------
    file
        CSV file of day-ahead prices.
    publication_local_time
        When tomorrow's prices become known.
    energy_tax_eur_per_kwh
        Tax on imported energy, excluding VAT [EUR/kWh].
    export_fee_eur_per_kwh
        What the supplier keeps of exported energy [EUR/kWh].
    max_age_days
        How long after the last known price forecasts keep a day's shape; later they are flat [days].
    imbalance
        ``[prices.imbalance]``: prices of imbalance; without it plans know day-ahead prices only.
    feed
        ``[prices.feed]``: where newer prices are fetched; without it there are those of the file.
    """

    file: str
    publication_local_time: time = time(13)
    energy_tax_eur_per_kwh: float = Field(ge=0.0)
    export_fee_eur_per_kwh: float = Field(ge=0.0)
    max_age_days: float = Field(default=7.0, gt=0.0, le=60.0)
    imbalance: ImbalanceTable | None = None
    feed: PriceFeed | None = None


class TariffTable(StrictModel):
    """``[tariff]``: the network charges of the street's shared connection.

    Parameters
    ----------
    file
        TOML file of a tariff sheet; its table ``[small]`` says what every connection would pay alone.
    variant
        Which of its tariffs the shared connection pays.
    realised_peak_kw
        Peak of the current month so far, per band; a run carries only what it adds [kW].
    contracted_kw
        Contracted capacity per band [kW].
    """

    file: str
    variant: str = Field(min_length=1)
    realised_peak_kw: dict[str, Capacity] = Field(default_factory=dict)
    contracted_kw: dict[str, Capacity] = Field(default_factory=dict)


class SunTable(StrictModel):
    """``[sun]``: the street's photovoltaic array.

    Parameters
    ----------
    node
        The node that it feeds.
    peak_kw
        Module power under standard conditions [kW].
    tilt_degrees, azimuth_degrees
        Angle with the horizontal; direction it faces (180 is south).
    loss_fraction
        Lost to soiling, mismatch, wiring and age.
    irradiance
        ``climate`` for clear sky and the statistics of ``climate_file``, or a CSV file of irradiance.
    climate_file
        CSV file of clearness, temperature and wind; also stands in where an irradiance file ends.
    curtailable
        Whether its power can be reduced.
    memory_minutes
        After so long, 1/e of a departure from the forecast is left; 264 was found in De Bilt's hours, the
        noise of a simulation has its own [min].
    models_file
        CSV file of fitted figures, by which what a feed or the array's meter says becomes a forecast.
    feed
        ``[sun.feed]``: who is asked for a forecast; without it there are the array's meter and the climate.
    """

    node: str
    peak_kw: float = Field(ge=0.0)
    tilt_degrees: float = Field(ge=0.0, le=90.0)
    azimuth_degrees: float = Field(ge=0.0, lt=360.0)
    loss_fraction: float = Field(default=0.10, ge=0.0, lt=1.0)
    irradiance: str = CLIMATE
    climate_file: str = "data/clearness_de_bilt.csv"
    curtailable: bool = False
    memory_minutes: float = Field(default=60.0, gt=0.0, le=1440.0)
    models_file: str = "data/clearness_models_de_bilt.csv"
    feed: WeatherFeed | None = None


@dataclass(frozen=True, eq=False)
class GridSide:
    """Everything that the grid layer knows of a street.

    Parameters
    ----------
    name, tz, latitude, longitude, voltage_v
        As in ``[street]``.
    topology
        Nodes, limits and connections.
    prices
        Energy prices; the kWh charge of the tariff is part of the import price.
    tariff
        Network charges of the shared connection.
    sun
        The array.
    realised_peak_kw, contracted_kw
        Per band of the tariff [kW].
    small_tariff
        What every connection would pay alone; None when the tariff sheet does not say.
    weather_feed
        Who is asked for the sun's forecast; None: nobody.
    price_feed
        Where newer prices are fetched; None: nowhere.
    imbalance
        Prices of what leaves the day-ahead forecast; None: plans do not know them.
    """

    name: str
    tz: ZoneInfo
    latitude: float
    longitude: float
    voltage_v: float
    topology: Topology
    prices: PriceBook
    tariff: NetworkTariff
    sun: SunConfig
    realised_peak_kw: dict[str, float]
    contracted_kw: dict[str, float] = field(default_factory=dict)
    small_tariff: SmallConnectionTariff | None = None
    weather_feed: WeatherFeed | None = None
    price_feed: PriceFeed | None = None
    imbalance: ImbalancePrices | None = None


def load_grid_side(document: Document, resolve: Resolve) -> GridSide:
    """Read the grid tables of a street file and the files that they name.

    Parameters
    ----------
    document
        The street file.
    resolve
        Turns a file named in it, like ``data/prices.csv``, into a path.

    Raises
    ------
    DocumentError
        With every problem of every table and file.
    """
    collector = ProblemCollector(document.source)
    street = collector.attempt(lambda: document.table("street", StreetTable))
    topology = _load_topology(document, resolve, street.voltage_v if street else NOMINAL_VOLTAGE_V, collector)
    series, prices = _load_prices(document, resolve, collector)
    imbalance = _load_imbalance(prices, resolve, collector)
    tariff, small_tariff, charges = _load_tariffs(document, resolve, collector)
    sun, irradiance, models = _load_sun(document, resolve, topology, collector)
    collector.finish()
    street, charges, prices = _sure(street), _sure(charges), _sure(prices)
    tariff = _sure(tariff)
    tz = ZoneInfo(street.timezone)
    return GridSide(
        name=street.name,
        tz=tz,
        latitude=street.latitude,
        longitude=street.longitude,
        voltage_v=street.voltage_v,
        topology=_sure(topology),
        prices=PriceBook(
            _sure(series),
            tz,
            prices.publication_local_time,
            prices.energy_tax_eur_per_kwh,
            prices.export_fee_eur_per_kwh,
            tariff,
            timedelta(days=prices.max_age_days),
        ),
        tariff=tariff,
        price_feed=prices.feed,
        imbalance=imbalance,
        sun=_build_sun(street, _sure(sun), _sure(irradiance), _sure(models)),
        weather_feed=_sure(sun).feed,
        realised_peak_kw=dict(charges.realised_peak_kw),
        contracted_kw=dict(charges.contracted_kw),
        small_tariff=small_tariff,
    )


def _sure(value: ValueT | None) -> ValueT:
    """Return what ``ProblemCollector.finish`` has made sure of."""
    assert value is not None, "finish() raises when a part could not be loaded"
    return value


def _load_topology(
    document: Document, resolve: Resolve, voltage_v: float, collector: ProblemCollector
) -> Topology | None:
    tables = collector.attempt(lambda: document.array("nodes", NodeTable))
    connections = collector.attempt(lambda: document.array("connections", Connection))
    if tables is None or connections is None:
        return None
    nodes = tuple(_build_node(index, table, resolve, collector) for index, table in enumerate(tables))
    # Problems of the tree are the street file's own: they name its tables.
    before = len(collector.problems)
    topology = collector.attempt(lambda: Topology(nodes, connections, voltage_v))
    collector.problems[before:] = [
        type(problem)(problem.path.removeprefix("topology: "), problem.message)
        for problem in collector.problems[before:]
    ]
    return topology


def _build_node(index: int, table: NodeTable, resolve: Resolve, collector: ProblemCollector) -> Node:
    profile: LoadProfile | None = None
    if table.load_profile is not None:
        path = resolve(table.load_profile)
        profile = collector.attempt(lambda: LoadProfile.from_csv(path))
    elif table.households > 0:
        message = "is missing: name the CSV file of the households' profile, like data/household_profile.csv"
        collector.add(f"nodes[{index}].load_profile", message)
    return Node(
        table.id,
        table.kind,
        table.parent,
        table.limits,
        table.households,
        table.annual_kwh_per_household,
        profile,
    )


def _load_prices(
    document: Document, resolve: Resolve, collector: ProblemCollector
) -> tuple[PriceSeries | None, PricesTable | None]:
    table = collector.attempt(lambda: document.table("prices", PricesTable))
    if table is None:
        return None, None
    return collector.attempt(lambda: PriceSeries.from_csv(resolve(table.file))), table


def _load_imbalance(
    prices: PricesTable | None, resolve: Resolve, collector: ProblemCollector
) -> ImbalancePrices | None:
    table = prices.imbalance if prices else None
    if table is None:
        return None
    series = collector.attempt(lambda: PriceSeries.from_csv(resolve(table.file)))
    known_before = timedelta(minutes=table.known_before_minutes)
    return None if series is None else ImbalancePrices(series, known_before)


def _load_tariffs(
    document: Document, resolve: Resolve, collector: ProblemCollector
) -> tuple[NetworkTariff | None, SmallConnectionTariff | None, TariffTable | None]:
    table = collector.attempt(lambda: document.table("tariff", TariffTable))
    if table is None:
        return None, None, None
    sheet = collector.attempt(lambda: load_sheet(resolve(table.file)))
    if sheet is None:
        return None, None, table
    if table.variant not in sheet.variants:
        known_variants = ", ".join(sheet.variants) or "none"
        collector.add("tariff.variant", f"{table.file} has no {table.variant!r}: it has {known_variants}")
        return None, None, table
    tariff = sheet.tariff(table.variant)
    known = sorted({band.name for band in tariff.bands})
    for key, given in (
        ("realised_peak_kw", table.realised_peak_kw),
        ("contracted_kw", table.contracted_kw),
    ):
        for name in sorted(set(given) - set(known)):
            collector.add(
                f"tariff.{key}.{name}", f"the tariff has no such band: its bands are {', '.join(known)}"
            )
    return tariff, sheet.small_tariff(), table


def _load_sun(
    document: Document, resolve: Resolve, topology: Topology | None, collector: ProblemCollector
) -> tuple[SunTable | None, IrradianceSource | None, Models | None]:
    table = collector.attempt(lambda: document.table("sun", SunTable))
    if table is None:
        return None, None, None
    known = [node.id for node in topology.nodes] if topology else [table.node]
    if table.node not in known:
        collector.add("sun.node", f"there is no node {table.node!r}: known nodes are {', '.join(known)}")
    models = collector.attempt(lambda: read_models(resolve(table.models_file)))
    climate = collector.attempt(lambda: Climate.from_csv(resolve(table.climate_file)))
    if climate is None:
        return table, None, models
    if table.irradiance == CLIMATE:
        return table, ClimateIrradiance(climate), models
    irradiance = collector.attempt(lambda: FileIrradiance.from_csv(resolve(table.irradiance), climate))
    return table, irradiance, models


def _build_sun(
    street: StreetTable, table: SunTable, irradiance: IrradianceSource, models: Models
) -> SunConfig:
    array = PvArray(
        street.latitude,
        street.longitude,
        table.peak_kw,
        table.tilt_degrees,
        table.azimuth_degrees,
        table.loss_fraction,
    )
    memory = timedelta(minutes=table.memory_minutes)
    return SunConfig(table.node, array, irradiance, table.curtailable, memory, models)
