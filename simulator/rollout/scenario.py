"""What a rollout scenario says, and what is refused.

Every number that has no public source is a parameter with a default; `docs/rollout.md` names the assumption
behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from grid.config import Document, ProblemCollector, StrictModel, load_document
from simulator.rollout.node import Node, node_contradictions

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Year = Annotated[int, Field(ge=2020, le=2060)]


class Policy(StrEnum):
    """How charging power is set."""

    UNCONTROLLED = "uncontrolled"
    STATIC_LIMIT = "static_limit"
    SMART = "smart"
    V2G = "v2g"


class PlacementRule(StrEnum):
    """When the next pole is asked for."""

    FIXED = "fixed"
    DEMAND = "demand"
    OCCUPANCY = "occupancy"
    GUARANTEE = "guarantee"


class Study(StrictModel):
    """Table ``[study]``: what is computed.

    Parameters
    ----------
    name
        Title of the report.
    years
        Years to simulate, ascending.
    replicates
        Independent repetitions, which give the intervals.
    seed
        Everything random follows from it.
    policies
        Which are compared; all see the same cars on the same days.
    months
        How many months of each year, from January on; fewer than twelve are for a quick look.
    price_year
        Calendar year of the day-ahead prices that every simulated year gets, moved by whole weeks of days.
    assumptions
        Sentences for the report, beside those that hold for every scenario.
    """

    name: str = Field(min_length=1)
    years: tuple[Year, ...] = Field(min_length=1)
    replicates: int = Field(default=5, ge=1, le=1000)
    seed: int = Field(default=1, ge=0)
    policies: tuple[Policy, ...] = Field(default=tuple(Policy), min_length=1)
    months: int = Field(default=12, ge=1, le=12)
    price_year: Literal[2023, 2024] = 2024
    assumptions: tuple[str, ...] = ()


class Adoption(StrictModel):
    """Table ``[adoption]``: electric share of the cars by year, logistic between the given years.

    Parameters
    ----------
    years, electric_fraction
        Support points, same length.
    km_per_year, kwh_per_km
        What one electric car drives and uses.
    public_fraction
        Share of that energy that is charged at public sockets of the neighbourhood.
    one_phase_fraction, large_charger_fraction
        Share of cars with one phase (3.7 kW) and with 22 kW chargers; the others have 3x16 A.
    battery_kwh
        Mean battery.
    charge_to_full_fraction
        Share of sessions that end at a full battery (and so taper); the others stop at 80 %.
    """

    years: tuple[Year, ...] = Field(min_length=1)
    electric_fraction: tuple[Fraction, ...] = Field(min_length=1)
    km_per_year: Positive = 13_000.0
    kwh_per_km: Positive = 0.19
    public_fraction: Fraction = 0.42
    one_phase_fraction: Fraction = 0.15
    large_charger_fraction: Fraction = 0.03
    battery_kwh: Annotated[float, Field(ge=20.0, le=150.0)] = 60.0
    charge_to_full_fraction: Fraction = 0.5


class Neighbourhood(StrictModel):
    """Array ``[[neighbourhoods]]``: an area with its people, its poles and its place in the grid.

    Parameters
    ----------
    id, lot
        Name, and the lot of the concession that it belongs to.
    households, cars_per_household
        Who lives there; the electric share comes from the adoption table.
    electric_factor
        Electric share of the cars relative to the adoption table.
    visitor_factor
        Sessions of visitors and commuters relative to the public data.
    shared_cars, bidirectional_fraction
        Shared electric cars on top of the residents', and the share of sessions that can be discharged.
    poles
        Poles at the start of the first year.
    latitude, longitude
        Centre, for the map; approximate.
    area_km2
        Built-up area over which the sub-neighbourhoods lie.
    transformers
        How many feed it; poles and households are spread over them evenly.
    pv_kw
        Panels, in peak kW.
    connectable_from
        First month (year, fraction) in which the grid operator connects more poles here.
    nodes
        Transformers and feeders for which another date holds.
    """

    id: str = Field(min_length=1)
    lot: str = "one"
    households: int = Field(ge=0)
    cars_per_household: NonNegative = 0.65
    electric_factor: NonNegative = 1.0
    visitor_factor: NonNegative = 1.0
    shared_cars: int = Field(default=0, ge=0)
    bidirectional_fraction: Fraction = 0.0
    poles: int = Field(ge=1)
    latitude: Annotated[float, Field(ge=-90.0, le=90.0)] | None = None
    longitude: Annotated[float, Field(ge=-180.0, le=180.0)] | None = None
    area_km2: Positive = 1.0
    transformers: int = Field(default=1, ge=1)
    pv_kw: NonNegative = 0.0
    connectable_from: float = Field(default=0.0, ge=0.0)
    nodes: tuple[Node, ...] = ()


class Poles(StrictModel):
    """Table ``[poles]``: the hardware at the kerb and how far drivers walk.

    Parameters
    ----------
    sockets
        Per pole.
    fuse_a
        Fuse of the pole's connection on each of three phases.
    socket_a
        Current of one socket.
    reach_m
        How far a driver walks from the destination.
    cell_m
        Side of a sub-neighbourhood, the square whose drivers look for a socket together.
    wait_fraction, wait_quarters
        Share of drivers who wait when none is free, and how long at the most; the others leave.
    """

    sockets: int = Field(default=2, ge=1, le=8)
    fuse_a: Positive = 25.0
    socket_a: Annotated[float, Field(ge=6.0, le=32.0)] = 16.0
    reach_m: Positive = 250.0
    cell_m: Positive = 250.0
    wait_fraction: Fraction = 0.2
    wait_quarters: int = Field(default=8, ge=0, le=96)


class Grid(StrictModel):
    """Table ``[grid]``: transformers, feeders and what else hangs on them.

    Parameters
    ----------
    transformer_kva, feeders_per_transformer, feeder_a
        Rating, cables per transformer, current of a cable per phase.
    annual_kwh_per_household
        Without a car.
    annual_growth_fraction
        Yearly growth of the households' use (heat pumps, cooking).
    base_year
        Year for which the annual use holds.
    spread_fraction
        How much transformers of a neighbourhood differ in households (standard deviation over mean).
    power_factor
        Of all loads.
    margin_fraction
        Share of the rating kept free for what the kW tree does not see (losses, unbalance).
    flow_feeders
        So many of the fullest feeders are checked by a power flow before the study, and the margin is raised
        where that shows more than the tree.
    flow_network
        File of the feeder to use for that (pandapower JSON, or a CSV of cables), relative to the scenario;
        None: a straight cable.
    """

    transformer_kva: Positive = 400.0
    feeders_per_transformer: int = Field(default=4, ge=1, le=24)
    feeder_a: Positive = 235.0
    annual_kwh_per_household: NonNegative = 2500.0
    annual_growth_fraction: Annotated[float, Field(ge=-0.2, le=0.2)] = 0.02
    base_year: Year = 2025
    spread_fraction: Fraction = 0.3
    power_factor: Annotated[float, Field(ge=0.8, le=1.0)] = 0.95
    margin_fraction: Annotated[float, Field(ge=0.0, le=0.5)] = 0.02
    flow_feeders: int = Field(default=0, ge=0, le=100)
    flow_network: str | None = None


class Control(StrictModel):
    """Table ``[control]``: what the policies may do.

    Parameters
    ----------
    static_from_hour, static_to_hour, static_a
        Daily window of the static limit (local hours) and the current per phase and pole that it leaves.
    declared_fraction
        Share of sessions whose departure and need are known to smart charging.
    undeclared_hours
        Hours that smart charging dares to assume for the others; 0: they charge at once, as far as the grid
        carries it.
    balancing_eur_per_kwh
        Price of load at the transformer's limit: what makes smart charging flatten.
    discharge_kw
        Highest discharge power of a bidirectional session.
    round_trip_fraction
        AC to AC.
    degradation_eur_per_kwh
        Per kWh discharged.
    floor_fraction
        Battery content below which nothing is discharged.
    energy_sharing
        Whether what a car gives back is used by the street before it is sold (one bill per transformer); a
        supplier's product that the plain tariffs do not offer.
    exact_days
        On so many sampled transformer-days smart and V2G charging are compared with exact plans; 0: none.
    """

    static_from_hour: Annotated[float, Field(ge=0.0, lt=24.0)] = 17.0
    static_to_hour: Annotated[float, Field(gt=0.0, le=24.0)] = 21.0
    static_a: Annotated[float, Field(ge=0.0)] = 12.0
    declared_fraction: Fraction = 0.7
    undeclared_hours: NonNegative = 0.0
    balancing_eur_per_kwh: NonNegative = 0.10
    discharge_kw: Positive = 10.0
    round_trip_fraction: Annotated[float, Field(gt=0.3, le=1.0)] = 0.87
    degradation_eur_per_kwh: NonNegative = 0.06
    floor_fraction: Fraction = 0.3
    energy_sharing: bool = True
    exact_days: int = Field(default=0, ge=0, le=1000)


class Placement(StrictModel):
    """Table ``[placement]``: how the network of poles grows.

    Parameters
    ----------
    rule
        ``fixed``: none are added; ``demand``: one per so many new electric cars; ``occupancy``: when the
        busiest hour is fuller than the trigger; ``guarantee``: when a lot's free share falls below what the
        concession promises.
    cars_per_pole
        For ``demand``.
    occupancy_trigger
        For ``occupancy``, of the sockets in the busiest hour of the week.
    guaranteed_free_fraction
        For ``guarantee``: share of hours with a free socket within reach, in the busiest hour of the week.
    lead_months
        From asking to plugging in.
    connections_per_month
        Connections that the grid operator makes for the whole scenario.
    largest_poles_per_cell
        Where a neighbourhood is full: highest number of poles per cell.
    """

    rule: PlacementRule = PlacementRule.FIXED
    cars_per_pole: Positive = 5.0
    occupancy_trigger: Fraction = 0.7
    guaranteed_free_fraction: Fraction = 0.95
    lead_months: int = Field(default=6, ge=0, le=60)
    connections_per_month: int = Field(default=50, ge=0)
    largest_poles_per_cell: int = Field(default=20, ge=1)


class Money(StrictModel):
    """Table ``[money]``: prices, rewards and what reinforcement costs; excluding VAT.

    Parameters
    ----------
    retail_eur_per_kwh
        What drivers pay.
    energy_tax_eur_per_kwh, network_eur_per_kwh, export_fee_eur_per_kwh
        On import, and the supplier's fee on export.
    peak_eur_per_kw_month
        Charge on each connection point's monthly peak, here taken per transformer.
    reward_eur_per_kwh, reward_from_hour, reward_to_hour
        Reward for energy charged outside this daily window (the capacity tariff's pilot).
    transformer_eur, feeder_eur
        Replacement of one.
    co2_kg_per_kwh_low, co2_kg_per_kwh_high
        Grid intensity in the cheapest quarter of the hours and in the others.
    """

    retail_eur_per_kwh: NonNegative = 0.33
    energy_tax_eur_per_kwh: NonNegative = 0.0916
    network_eur_per_kwh: NonNegative = 0.0198
    export_fee_eur_per_kwh: NonNegative = 0.005
    peak_eur_per_kw_month: NonNegative = 3.0966
    reward_eur_per_kwh: NonNegative = 0.0
    reward_from_hour: Annotated[float, Field(ge=0.0, le=24.0)] = 17.0
    reward_to_hour: Annotated[float, Field(ge=0.0, le=24.0)] = 21.0
    transformer_eur: NonNegative = 60_000.0
    feeder_eur: NonNegative = 40_000.0
    co2_kg_per_kwh_low: NonNegative = 0.10
    co2_kg_per_kwh_high: NonNegative = 0.32


class Classes(StrictModel):
    """Table ``[classes]``: sessions of a class of drivers relative to their share in the public data.

    Parameters
    ----------
    resident, visitor, commuter, shared, taxi
        Factor of the class.
    """

    resident: NonNegative = 1.0
    visitor: NonNegative = 1.0
    commuter: NonNegative = 1.0
    shared: NonNegative = 1.0
    taxi: NonNegative = 1.0


class Scenario(StrictModel):
    """A whole scenario, one field per table."""

    study: Study
    adoption: Adoption
    poles: Poles = Poles()
    grid: Grid = Grid()
    control: Control = Control()
    placement: Placement = Placement()
    money: Money = Money()
    classes: Classes = Classes()
    neighbourhoods: tuple[Neighbourhood, ...] = Field(min_length=1)

    @property
    def sockets(self) -> int:
        """Sockets at the start."""
        return self.poles.sockets * sum(area.poles for area in self.neighbourhoods)

    @property
    def transformers(self) -> int:
        """How many transformers there are."""
        return sum(area.transformers for area in self.neighbourhoods)


TABLES: dict[str, type[StrictModel]] = {
    "study": Study,
    "adoption": Adoption,
    "poles": Poles,
    "grid": Grid,
    "control": Control,
    "placement": Placement,
    "money": Money,
    "classes": Classes,
}


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises
    ------
    DocumentError
        With every problem of every table, each with its path and remedy.
    """
    return read_scenario(load_document(path))


def read_scenario(document: Document) -> Scenario:
    """Validate a scenario document.

    Raises
    ------
    DocumentError
        With every problem of every table, each with its path and remedy.
    """
    collector = ProblemCollector(document.source)
    known = {*TABLES, "neighbourhoods"}
    collector.attempt(lambda: document.refuse_unknown_tables(known))
    tables = {name: collector.attempt(partial(document.table, name, model)) for name, model in TABLES.items()}
    areas = collector.attempt(lambda: document.array("neighbourhoods", Neighbourhood))
    if areas is not None and not areas:
        collector.add("neighbourhoods", "there is none: add [[neighbourhoods]] with id, households and poles")
    collector.finish()
    scenario = Scenario.model_validate({**tables, "neighbourhoods": areas})
    for at, message in contradictions(scenario):
        collector.add(at, message)
    collector.finish()
    return scenario


def contradictions(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Yield what no single table can see: place and remedy."""
    study, adoption = scenario.study, scenario.adoption
    if list(study.years) != sorted(set(study.years)):
        yield "study.years", "must ascend without repetition: sort them"
    if len(set(study.policies)) != len(study.policies):
        yield "study.policies", "a policy is listed twice: list each once"
    if len(adoption.years) != len(adoption.electric_fraction):
        yield "adoption.electric_fraction", f"must have {len(adoption.years)} values, one per adoption.years"
    if list(adoption.years) != sorted(set(adoption.years)):
        yield "adoption.years", "must ascend without repetition: sort them"
    if scenario.control.static_from_hour >= scenario.control.static_to_hour:
        yield (
            "control.static_to_hour",
            "must be later than static_from_hour: a window over midnight is not modelled",
        )
    if adoption.one_phase_fraction + adoption.large_charger_fraction > 1:
        yield "adoption.large_charger_fraction", "with one_phase_fraction it exceeds 1: lower one of the two"
    if scenario.grid.flow_network is not None and scenario.grid.flow_feeders == 0:
        yield "grid.flow_feeders", "is 0, so flow_network is never used: say how many feeders to check"
    yield from _neighbourhood_contradictions(scenario)


def _neighbourhood_contradictions(scenario: Scenario) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for index, area in enumerate(scenario.neighbourhoods):
        at = f"neighbourhoods[{index}]"
        if area.id in seen:
            yield f"{at}.id", f"{area.id!r} is used twice: every neighbourhood needs its own name"
        seen.add(area.id)
        if (area.latitude is None) != (area.longitude is None):
            yield f"{at}.latitude", "latitude and longitude belong together: give both or neither"
        if (
            area.poles * scenario.poles.sockets > 0
            and area.households * area.cars_per_household + area.shared_cars == 0
        ):
            yield (
                f"{at}.households",
                "nobody charges here: give households or shared_cars, or remove the poles",
            )
        cells = max(1, round(area.area_km2 * 1e6 / scenario.poles.cell_m**2))
        if area.poles > cells * scenario.placement.largest_poles_per_cell:
            most = cells * scenario.placement.largest_poles_per_cell
            yield (
                f"{at}.poles",
                (
                    f"{area.poles} poles do not fit: {cells} cells of {scenario.poles.cell_m:g} m "
                    f"hold {most}; raise area_km2 or placement.largest_poles_per_cell"
                ),
            )
        for below, remedy in node_contradictions(
            area.nodes, area.transformers, scenario.grid.feeders_per_transformer
        ):
            yield f"{at}.{below}", remedy
