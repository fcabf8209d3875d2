"""The figures of one replicate, year and policy, from the tables of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulator.rollout.demand import electric_cars
from simulator.rollout.scenario import Policy, Scenario
from simulator.rollout.year import Tables

KEYS = ["year", "policy", "replicate"]
# Normal ageing is a rate of one; a transformer older than its calendar is due as well.
NORMAL_AGEING = 1.0


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a figure is called and counted in.

    Parameters
    ----------
    label
        For people.
    unit
        Empty for shares and counts.
    paired
        Whether it is a difference to uncontrolled charging of the same drivers.
    """

    label: str
    unit: str = ""
    paired: bool = False


MEANINGS: dict[str, Meaning] = {
    "sockets": Meaning("sockets at the end of the year"),
    "sessions_per_socket_day": Meaning("sessions per socket and day", "1/d"),
    "kwh_per_socket_day": Meaning("energy per socket and day", "kWh/d"),
    "kwh_per_session": Meaning("energy per session", "kWh"),
    "idle_h_per_session": Meaning("hours plugged after full, per session", "h"),
    "occupancy_mean_fraction": Meaning("sockets in use, mean"),
    "occupancy_busiest_fraction": Meaning("sockets in use, busiest hour of the week"),
    "no_free_socket_fraction": Meaning("no free socket within reach, mean over places and hours"),
    "no_free_socket_busiest_fraction": Meaning("no free socket within reach, busiest hour of the week"),
    "free_everywhere_fraction": Meaning(
        "sub-neighbourhoods with a free socket in the busiest hour, worst neighbourhood"
    ),
    "blocked_fraction": Meaning("drivers who found nothing"),
    "diverted_fraction": Meaning("drivers who walked past the nearest pole"),
    "walk_m": Meaning("walk of those who found one", "m"),
    "charged_kwh": Meaning("energy at the meter, into cars", "kWh"),
    "discharged_kwh": Meaning("energy at the meter, out of cars (V2G)", "kWh"),
    "lost_kwh": Meaning("losses in chargers", "kWh"),
    "energy_balance_fraction": Meaning("energy check: what is unaccounted for over what was charged"),
    "kwh_per_ev": Meaning("energy check: a car's use in a year, all places", "kWh"),
    "short_kwh_fraction": Meaning("energy missing at departure"),
    "short_sessions_fraction": Meaning("sessions with energy missing at departure"),
    "transformer_peak_kw": Meaning("peak of a transformer, mean", "kW"),
    "transformer_peak_p95_kw": Meaning("peak of a transformer, 95th percentile", "kW"),
    "transformer_peak_loading": Meaning("peak loading of the fullest transformer"),
    "feeder_peak_loading": Meaning("peak loading of the fullest feeder's fullest phase"),
    "overloaded_transformers": Meaning("transformers above their rating less margin"),
    "overload_h": Meaning("transformer-hours above the rating", "h"),
    "overload_kwh": Meaning("energy above the rating", "kWh"),
    "overloaded_feeders": Meaning("transformers with an overloaded feeder"),
    "ageing_worst_rate": Meaning("ageing of the worst transformer, 1 is normal"),
    "hottest_c": Meaning("highest hot spot", "deg C"),
    "pv_self_consumed_fraction": Meaning("panels' energy used below the transformer"),
    "charging_cost_eur": Meaning("what charging adds to the street's energy bill", "EUR"),
    "peak_charge_eur": Meaning("charge on monthly peaks per transformer", "EUR"),
    "reinforcement_eur": Meaning("reinforcement of what is overloaded", "EUR"),
    "revenue_eur": Meaning("drivers' payments", "EUR"),
    "reward_eur": Meaning("tariff rewards", "EUR"),
    "wear_eur": Meaning("battery wear by discharging", "EUR"),
    "co2_kg": Meaning("CO2 of charging", "kg"),
    "saved_eur": Meaning("energy, peaks, rewards and wear saved against uncontrolled", "EUR", paired=True),
    "avoided_reinforcement_eur": Meaning("avoided reinforcement", "EUR", paired=True),
    "peak_reduced_kw": Meaning("peak reduced, mean transformer", "kW", paired=True),
    "peak_reduced_per_pole_kw": Meaning("peak reduced, per pole", "kW", paired=True),
    "co2_saved_kg": Meaning("CO2 saved", "kg", paired=True),
    "harm_kwh_fraction": Meaning("harm: energy missing beyond uncontrolled", "", paired=True),
    "harm_sessions_fraction": Meaning("harm: sessions short beyond uncontrolled", "", paired=True),
}


def replicate_figures(scenario: Scenario, tables: Tables) -> pd.DataFrame:
    """Return one row per year, policy and replicate, one column per figure.

    Parameters
    ----------
    scenario
        Prices and neighbourhoods.
    tables
        Of the study.
    """
    table = pd.concat([_of_service(scenario, tables), _of_network(scenario, tables)], axis=1)
    table["kwh_per_ev"] = _kwh_per_ev(scenario, tables["areas"])
    return _paired(table.sort_index(), scenario.transformers * scenario.poles.sockets)


def _of_service(scenario: Scenario, tables: Tables) -> pd.DataFrame:
    areas, hours = tables["areas"], tables["hours"]
    money, control = scenario.money, scenario.control
    socket_days = (areas["sockets"] * areas["days"]).groupby([areas[key] for key in KEYS]).sum()
    total = areas.groupby(KEYS).sum(numeric_only=True)
    by_hour = hours.groupby(KEYS).sum(numeric_only=True)
    last = areas[areas["month"] == areas["month"].max()].groupby(KEYS)["sockets"].sum()
    accepted = (total["arrivals"] - total["blocked"]).clip(lower=1)
    rows = {
        "sockets": last,
        "sessions_per_socket_day": total["sessions"] / socket_days,
        "kwh_per_socket_day": total["metered_kwh"] / socket_days,
        "kwh_per_session": total["metered_kwh"] / total["sessions"].clip(lower=1),
        "idle_h_per_session": by_hour["full_idle"] / total["sessions"].clip(lower=1),
        "occupancy_mean_fraction": by_hour["occupied"] / by_hour["sockets"],
        "no_free_socket_fraction": 1 - by_hour["cells_free"] / by_hour["cells"],
        "blocked_fraction": total["blocked"] / total["arrivals"].clip(lower=1),
        "diverted_fraction": total["diverted"] / total["arrivals"].clip(lower=1),
        "walk_m": by_hour["walk_m"] / accepted,
        "charged_kwh": total["metered_kwh"],
        "discharged_kwh": total["discharged_kwh"],
        "lost_kwh": total["lost_kwh"],
        "energy_balance_fraction": _unaccounted(total),
        "short_kwh_fraction": total["short_kwh"] / total["need_kwh"].clip(lower=1e-9),
        "short_sessions_fraction": total["short_sessions"] / total["sessions"].clip(lower=1),
        # Nobody pays for what is taken out of the battery and put back.
        "revenue_eur": (total["metered_kwh"] - total["discharged_kwh"]) * money.retail_eur_per_kwh,
        "reward_eur": total["rewarded_kwh"] * money.reward_eur_per_kwh,
        "wear_eur": total["discharged_kwh"] * control.degradation_eur_per_kwh,
    }
    return pd.concat([pd.DataFrame(rows), busiest_hour(hours)], axis=1)


def _unaccounted(total: pd.DataFrame) -> pd.Series:
    left = total["metered_kwh"] - total["discharged_kwh"] - total["lost_kwh"] - total["stored_kwh"]
    return (left / total["metered_kwh"].clip(lower=1.0)).abs()


def busiest_hour(hours: pd.DataFrame) -> pd.DataFrame:
    """Return the busiest hour of the week; the worst neighbourhood is judged in its own."""
    whole = hours.groupby([*KEYS, "hour"]).sum(numeric_only=True)
    whole["occupancy"] = whole["occupied"] / whole["sockets"]
    busiest = whole.loc[whole.groupby(KEYS)["occupancy"].idxmax()].reset_index("hour")
    local = hours.assign(occupancy=hours["occupied"] / hours["sockets"].clip(lower=1e-9))
    local = local.loc[local.groupby([*KEYS, "area"])["occupancy"].idxmax()]
    free = (local["cells_free"] / local["cells"]).groupby([local[key] for key in KEYS]).min()
    return pd.DataFrame(
        {
            "occupancy_busiest_fraction": busiest["occupancy"],
            "no_free_socket_busiest_fraction": 1 - busiest["cells_free"] / busiest["cells"],
            "free_everywhere_fraction": free,
        }
    )


def transformer_years(transformers: pd.DataFrame) -> pd.DataFrame:
    """Return a year of every transformer from its months."""
    highest = ["peak_kw", "peak_loading", "feeder_loading", "hottest_c"]
    groups = transformers.groupby([*KEYS, "area", "transformer"])
    sums = groups.sum(numeric_only=True).drop(columns=["month", *highest])
    return pd.concat([sums, groups[highest].max()], axis=1)


def _of_network(scenario: Scenario, tables: Tables) -> pd.DataFrame:
    money, usable = scenario.money, 1 - scenario.grid.margin_fraction
    each = transformer_years(tables["transformers"])
    hours = each.index.get_level_values("year").map(lambda year: 8784.0 if year % 4 == 0 else 8760.0)
    each["rate"] = each["aged_h"] / hours
    each["over"] = (each["peak_loading"] > usable) | (each["rate"] > NORMAL_AGEING)
    each["feeder_over"] = each["feeder_loading"] > usable
    by, monthly = each.groupby(KEYS), tables["transformers"].groupby(KEYS)
    total = by.sum(numeric_only=True)
    over, feeders = by["over"].sum(), by["feeder_over"].sum()
    return pd.DataFrame(
        {
            "transformer_peak_kw": by["peak_kw"].mean(),
            "transformer_peak_p95_kw": by["peak_kw"].quantile(0.95),
            "transformer_peak_loading": by["peak_loading"].max(),
            "feeder_peak_loading": by["feeder_loading"].max(),
            "overloaded_transformers": over.astype(float),
            "overload_h": total["overload_h"],
            "overload_kwh": total["overload_kwh"],
            "overloaded_feeders": feeders.astype(float),
            "ageing_worst_rate": by["rate"].max(),
            "hottest_c": by["hottest_c"].max(),
            "pv_self_consumed_fraction": (1 - total["pv_export_kwh"] / total["pv_kwh"]).where(
                total["pv_kwh"] > 0, 1.0
            ),
            "charging_cost_eur": total["money_eur"] - total["base_money_eur"],
            "peak_charge_eur": monthly["peak_kw"].sum() * money.peak_eur_per_kw_month,
            "reinforcement_eur": over * money.transformer_eur + feeders * money.feeder_eur,
            "co2_kg": total["co2_kg"] - total["base_co2_kg"],
        }
    )


def _kwh_per_ev(scenario: Scenario, areas: pd.DataFrame) -> pd.Series:
    """Return what a resident's car would use in a year if the public share holds.

    Everything wanted counts, served or not, and so do visitors and shared cars beyond the public mix.
    """
    wanted = areas.groupby(KEYS)[["metered_kwh", "discharged_kwh", "lost_demand_kwh"]].sum()
    energy = wanted["metered_kwh"] - wanted["discharged_kwh"] + wanted["lost_demand_kwh"]
    cars = {year: electric_cars(scenario, year).sum() for year in scenario.study.years}
    per_year = energy.index.get_level_values("year").map(lambda year: cars[int(year)])
    public = np.maximum(per_year.to_numpy(dtype=float), 1.0) * max(scenario.adoption.public_fraction, 1e-9)
    return pd.Series(energy.to_numpy(dtype=float) / public, index=energy.index)


def _paired(table: pd.DataFrame, transformer_sockets: int) -> pd.DataFrame:
    """Add differences to uncontrolled charging of the same replicate.

    Parameters
    ----------
    table
        One row per replicate.
    transformer_sockets
        Transformers times sockets of a pole, which makes the mean transformer's peak one per pole.
    """
    names = table.index.get_level_values("policy")
    if Policy.UNCONTROLLED not in names:
        return table
    base = table.copy()
    keys = [(year, Policy.UNCONTROLLED.value, replicate) for year, _, replicate in table.index]
    base.loc[:, :] = table.loc[keys].to_numpy()
    peak = base["transformer_peak_kw"] - table["transformer_peak_kw"]
    return table.assign(
        saved_eur=_bill_eur(base) - _bill_eur(table),
        avoided_reinforcement_eur=base["reinforcement_eur"] - table["reinforcement_eur"],
        peak_reduced_kw=peak,
        peak_reduced_per_pole_kw=peak * transformer_sockets / table["sockets"],
        co2_saved_kg=base["co2_kg"] - table["co2_kg"],
        harm_kwh_fraction=table["short_kwh_fraction"] - base["short_kwh_fraction"],
        harm_sessions_fraction=table["short_sessions_fraction"] - base["short_sessions_fraction"],
    )


def _bill_eur(table: pd.DataFrame) -> pd.Series:
    """Return energy, monthly peaks and wear less rewards."""
    columns = ("charging_cost_eur", "peak_charge_eur", "wear_eur")
    return table[list(columns)].sum(axis=1) - table["reward_eur"]
