"""`wijkstroom settle`: a meter, a tariff sheet and a contract in, a bill line by line out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from grid.meterfile import read_meter
from grid.tariffs.contract import load_contract
from grid.tariffs.network import load_sheet
from grid.tariffs.settlement import Section, Settlement, settle
from grid.tariffs.statement import RewardEntry, state_rewards


def run_settle(meter: Path, tariff: Path, contract: Path, *, statement: bool, as_json: bool) -> None:
    """Settle and print; with ``statement`` also what was rewarded and why.

    Raises
    ------
    DocumentError
        With every mistake of a file, or when they do not fit each other.
    """
    series, sheet, agreed = read_meter(meter), load_sheet(tariff), load_contract(contract)
    settlement = settle(series, sheet, agreed)
    rewards: tuple[RewardEntry, ...] = ()
    if statement and agreed.tariff_variant is not None:
        rewards = state_rewards(series, sheet.tariff(agreed.tariff_variant))
    errors = Console(stderr=True)
    for warning in settlement.warnings:
        errors.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)
    if as_json:
        document = build_document(settlement) | ({"rewards": list_rewards(rewards)} if statement else {})
        print(json.dumps(document, indent=2))  # noqa: T201 - the document is the answer
        return
    Console().print(build_table(settlement))
    if statement:
        Console().print(build_statement(rewards))


def list_rewards(rewards: tuple[RewardEntry, ...]) -> list[dict[str, Any]]:
    """Return a statement of rewards as plain data; numbers are texts, amounts are not yet rounded."""
    return [
        {
            "band": each.band,
            "period": each.period,
            "baseline": None if each.baseline is None else f"{each.baseline:.3f}",
            "measured": f"{each.measured:.3f}",
            "rewarded": f"{each.rewarded:.3f}",
            "unit": each.unit,
            "price_eur": f"{each.price_eur.normalize():f}",
            "amount_eur": f"{each.amount_eur:.4f}",
            "why": each.why,
        }
        for each in rewards
    ]


def build_statement(rewards: tuple[RewardEntry, ...]) -> Table:
    """Return a statement of rewards for people."""
    table = Table(title="Rewards, and why", title_justify="left")
    for name in ("band", "period", "baseline", "measured", "rewarded", "unit", "price EUR", "EUR", "why"):
        table.add_column(name, justify="left" if name in {"band", "period", "unit", "why"} else "right")
    for row in list_rewards(rewards):
        table.add_row(*(str(value) if value is not None else "" for value in row.values()))
    return table


def build_document(settlement: Settlement) -> dict[str, Any]:
    """Return a settlement as plain data; amounts are texts with two decimals."""
    return {
        "tariff": settlement.tariff,
        "contract": settlement.contract,
        "from": settlement.first_day.isoformat(),
        "to": settlement.last_day.isoformat(),
        "lines": [
            {
                "name": line.name,
                "quantity": f"{line.quantity.normalize():f}",
                "unit": line.unit,
                "price_eur": f"{line.price_eur.normalize():f}",
                "amount_eur": f"{line.amount_eur:.2f}",
            }
            for line in settlement.lines
        ],
        "network_eur": f"{settlement.sum_eur(Section.NETWORK):.2f}",
        "reward_eur": f"{settlement.sum_eur(Section.REWARD):.2f}",
        "tax_eur": f"{settlement.sum_eur(Section.TAX):.2f}",
        "vat_eur": f"{settlement.vat_eur:.2f}",
        "total_excl_vat_eur": f"{settlement.total_excl_vat_eur:.2f}",
        "total_eur": f"{settlement.total_eur:.2f}",
    }


def build_table(settlement: Settlement) -> Table:
    """Return the bill for people."""
    period = f"{settlement.first_day} to {settlement.last_day}"
    table = Table(title=f"{settlement.tariff}, {settlement.contract}, {period}", title_justify="left")
    table.add_column("for")
    for name in ("quantity", "unit", "price EUR", "amount EUR"):
        table.add_column(name, justify="left" if name == "unit" else "right")
    for line in settlement.lines:
        table.add_row(
            line.name,
            f"{line.quantity:,.3f}",
            line.unit,
            f"{line.price_eur.normalize():f}",
            f"{line.amount_eur:,.2f}",
        )
    table.add_section()
    for name, amount in (
        ("network", settlement.sum_eur(Section.NETWORK)),
        ("rewards", settlement.sum_eur(Section.REWARD)),
        ("energy tax", settlement.sum_eur(Section.TAX)),
        ("total without VAT", settlement.total_excl_vat_eur),
        (f"VAT {settlement.vat_fraction:.0%}", settlement.vat_eur),
        ("total", settlement.total_eur),
    ):
        table.add_row(name, "", "", "", f"{amount:,.2f}")
    return table
