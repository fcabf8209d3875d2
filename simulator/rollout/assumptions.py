"""What every report says about itself: the assumptions that hold for all scenarios."""

from __future__ import annotations

from simulator.rollout.scenario import Scenario

COMMON = (
    (
        "Arrivals, stays and energies of public sessions have ElaadNL's distributions; their dependence is "
        "a Gaussian copula: stay on the hour of arrival as published, energy on stay with a rank "
        "correlation of 0.5."
    ),
    (
        "Drivers go to the nearest free socket within reach, else wait if they are of that kind, else "
        "leave; they do not come back later and do not charge elsewhere."
    ),
    (
        "Sessions are spread evenly over the points of a neighbourhood; classes of drivers are told apart "
        "by hour and stay."
    ),
    (
        "More sessions in winter than in summer (1.10 in January, 0.88 in July); a shared car uses 3,800 "
        "kWh a year."
    ),
    (
        "Losses of chargers: 0.159 kW + 8.0 % (three phases), 0.218 kW + 8.1 % (one), measured in Utrecht "
        "(Schram et al. 2020)."
    ),
    "Charging slows down above 90 % (small batteries 80 %); cars take 6 A at least or pause.",
    (
        "Households follow the BDEW profile as spread over transformers; single-phase use is spread over "
        "three phases by chance."
    ),
    ("Weather is drawn: the clear sky over Utrecht times a day's clearness with the statistics of De Bilt."),
    (
        "Prices are those of the Dutch day-ahead market of one past year, moved by whole weeks; years ahead "
        "may differ."
    ),
    (
        "A transformer ages by IEC 60076-7 (natural cooling, hot spot of 98 degrees at rated load and 20 "
        "degrees outside)."
    ),
    (
        "Smart charging plans a session on arrival and never again; a guard lowers everybody at a "
        "transformer's limit."
    ),
)


def assumptions(scenario: Scenario) -> list[str]:
    """Return the sentences for a scenario: its own, its numbers without a public source, the common ones."""
    adoption, control, money = scenario.adoption, scenario.control, scenario.money
    others = (
        f"the others are given {control.undeclared_hours:g} hours."
        if control.undeclared_hours
        else "the others are charged at once."
    )
    numbers = [
        (
            f"{adoption.public_fraction:.0%} of a car's {adoption.km_per_year:,.0f} km at "
            f"{adoption.kwh_per_km:g} kWh/km is charged at public sockets of its neighbourhood."
        ),
        (
            f"{adoption.one_phase_fraction:.0%} of the sessions use one phase; "
            f"{adoption.charge_to_full_fraction:.0%} end at a full battery, the others at 80 %."
        ),
        (
            f"{scenario.poles.wait_fraction:.0%} of the drivers wait for a free socket, "
            f"{scenario.poles.wait_quarters / 4:g} hours at the most; the others leave."
        ),
        (f"{control.declared_fraction:.0%} of the drivers tell when they leave and what they need; {others}"),
        (
            f"Transformers of a neighbourhood differ in households by {scenario.grid.spread_fraction:.0%}; "
            f"use without cars grows by {scenario.grid.annual_growth_fraction:.1%} a year."
        ),
        (
            f"Battery wear {control.degradation_eur_per_kwh:g} EUR per kWh discharged; a transformer "
            f"costs {money.transformer_eur:,.0f} EUR, a feeder {money.feeder_eur:,.0f} EUR."
        ),
        (
            f"CO2: {money.co2_kg_per_kwh_low:g} kg/kWh in the cheapest quarter of the hours, "
            f"{money.co2_kg_per_kwh_high:g} in the others."
        ),
    ]
    return [*scenario.study.assumptions, *numbers, *COMMON]
