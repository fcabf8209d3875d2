"""Lists of cards and things that become due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from simulator.station.upkeep import LONGEST_LIST, Agenda, LocalList

NOW = datetime(2024, 6, 11, 4, tzinfo=UTC)


def test_a_list_is_replaced_and_changed() -> None:
    cards = LocalList()
    assert cards.update(3, [("A", "Accepted"), ("B", "Blocked")], full=True) == "Accepted"
    assert cards.accepts_offline("A")
    assert not cards.accepts_offline("B")
    assert cards.accepts_offline("never heard of")
    assert cards.update(3, [("B", None)], full=False) == "VersionMismatch"
    assert cards.update(4, [("B", None), ("C", "Expired")], full=False) == "Accepted"
    assert cards.statuses == {"A": "Accepted", "C": "Expired"}
    assert cards.update(5, [], full=True) == "Accepted"
    assert cards.statuses == {}


def test_a_list_that_does_not_fit_changes_nothing() -> None:
    cards = LocalList()
    many = [(str(number), "Accepted") for number in range(LONGEST_LIST + 1)]
    assert cards.update(1, many, full=True) == "Failed"
    assert cards.update(0, [], full=True) == "Failed"
    assert cards.version == 0


def test_an_agenda_keeps_order() -> None:
    agenda = Agenda()
    assert agenda.next_due is None
    for what, after_s in (("late", 20), ("first", 5), ("second", 5)):
        agenda.put(NOW + timedelta(seconds=after_s), what)
    assert agenda.next_due == NOW + timedelta(seconds=5)
    assert list(agenda.take(NOW + timedelta(seconds=10))) == ["first", "second"]
    assert list(agenda.take(NOW + timedelta(seconds=30))) == ["late"]
