"""Variants of a scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from grid.errors import DocumentError
from simulator.rollout.scenario import Policy
from simulator.rollout.sweep import read_variants

SHIPPED = Path(__file__).parents[3] / "configs" / "rollout" / "kanaleneiland.toml"


def test_without_a_sweep_there_is_one_with_the_changes() -> None:
    variants = read_variants(SHIPPED, {"replicates": 2, "policies": ["smart"]}, [])
    assert list(variants) == [""]
    assert variants[""].study.replicates == 2
    assert variants[""].study.policies == (Policy.SMART,)


def test_axes_are_combined_and_seeds_are_common() -> None:
    variants = read_variants(SHIPPED, {}, ["poles.reach_m=150,300", 'placement.rule="fixed","demand"'])
    assert len(variants) == 4
    assert len({each.study.seed for each in variants.values()}) == 1
    assert {(each.poles.reach_m, each.placement.rule.value) for each in variants.values()} == {
        (150, "fixed"),
        (150, "demand"),
        (300, "fixed"),
        (300, "demand"),
    }


def test_neighbourhoods_by_name_and_all() -> None:
    one = read_variants(SHIPPED, {}, ["neighbourhoods.Kanaleneiland-Zuid.poles=31"])
    assert [area.poles for area in next(iter(one.values())).neighbourhoods] == [30, 31]
    every = read_variants(SHIPPED, {}, ["neighbourhoods.*.shared_cars=3"])
    assert {area.shared_cars for area in next(iter(every.values())).neighbourhoods} == {3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reach=3", "TABLE.KEY"),
        ("poles.reach_m", "TABLE.KEY"),
        ("poles.reach_m=a,b", "in quotes"),
        ("neighbourhoods.Nowhere.poles=3", "names no neighbourhood"),
        ("poles.colour=3", "colour"),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_variants(SHIPPED, {}, [text])
