"""Rules between the fields of a problem document.

They work on plain mappings and skip what is missing or already known to be wrong, so that a document with
several errors gets all of them named in one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from grid.errors import Problem as Fault

Place = tuple[int | str, ...]

STEP_ARRAYS = (
    "import_price_eur_per_kwh",
    "export_price_eur_per_kwh",
    "base_load_kw",
    "pv_kw",
    "import_limit_kw",
    "export_limit_kw",
    "base_load_upper_kw",
    "base_load_lower_kw",
    "pv_lower_kw",
    "pv_upper_kw",
)


@dataclass(frozen=True, slots=True)
class _View:
    """The fields of one object of the document that are right on their own."""

    fields: Mapping[str, Any]
    place: Place
    wrong: AbstractSet[Place]

    def get(self, name: str) -> Any:
        """Return a field's value, None where it is missing or wrong."""
        spoiled = any(place[: len(self.place) + 1] == (*self.place, name) for place in self.wrong)
        return None if spoiled else self.fields.get(name)

    def array(self, name: str) -> list[Any] | None:
        """Return a field's value when it is an array."""
        value = self.get(name)
        if hasattr(value, "tolist"):
            value = value.tolist()
        return list(value) if isinstance(value, list | tuple) else None

    def children(self, name: str) -> Iterator[_View]:
        """Yield the objects in a field that holds an array of objects, also where some of them are wrong."""
        items = self.fields.get(name)
        for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
            fields = item if isinstance(item, Mapping) else getattr(item, "__dict__", {})
            yield _View(fields, (*self.place, name, index), self.wrong)

    def fault(self, message: str, *parts: int | str) -> Fault:
        """Return an error at a place under this object."""
        return Fault(show_place((*self.place, *parts)), message)


def show_place(place: Place) -> str:
    """Write a place as a JSON path without the leading ``$.``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def find_contradictions(document: Mapping[str, Any], wrong: AbstractSet[Place] = frozenset()) -> list[Fault]:
    """Return what contradicts what in a document.

    Parameters
    ----------
    document
        A problem as plain data, or the fields of a validated one.
    wrong
        Places that are wrong on their own and not looked at again.
    """
    top = _View(document, (), wrong)
    steps = top.get("steps")
    faults = [*_array_faults(top, steps), *_quantile_faults(top)]
    for name, key in (("peak_bands", "name"), ("evs", "id"), ("groups", "id")):
        faults += _duplicate_faults(top, name, key)
    for band in top.children("peak_bands"):
        faults += _band_faults(band, steps)
    for ev in top.children("evs"):
        faults += [
            *_window_faults(ev, steps),
            *_battery_faults(ev),
            *_power_faults(ev),
            *_loss_faults(ev),
            *_floor_faults(ev, steps),
        ]
    names = [ev.get("id") for ev in top.children("evs")]
    known = None if None in names else set(names)
    for group in top.children("groups"):
        faults += _group_faults(group, known, steps)
    return faults


def _length_fault(
    view: _View, name: str, wanted: int | None, meaning: str, noun: str = "numbers"
) -> Iterator[Fault]:
    values = view.array(name)
    if values is not None and wanted is not None and len(values) != wanted:
        yield view.fault(f"has {len(values)} {noun}: give {wanted}, {meaning}", name)


def _array_faults(top: _View, steps: int | None) -> Iterator[Fault]:
    for name in STEP_ARRAYS:
        yield from _length_fault(top, name, steps, "one per step, or a single number for all steps")
    meaning = "one per step, or a single name for all steps"
    yield from _length_fault(top, "import_limit_source", steps, meaning, "names")


def _quantile_faults(top: _View) -> Iterator[Fault]:
    for quantity in ("base_load", "pv"):
        lower_name, upper_name = f"{quantity}_lower_kw", f"{quantity}_upper_kw"
        lower = _or_expected(top, lower_name, f"{quantity}_kw")
        upper = _or_expected(top, upper_name, f"{quantity}_kw")
        given = lower_name if top.get(lower_name) is not None else upper_name
        for step, (low, high) in enumerate(zip(lower or (), upper or (), strict=False)):
            if low > high:
                message = f"lower {low:g} kW is above upper {high:g} kW: put the quantiles in order"
                yield top.fault(message, given, step)


def _or_expected(top: _View, name: str, expected: str) -> list[Any] | None:
    if top.fields.get(name) is None:
        name = expected
    value, steps = top.get(name), top.get("steps")
    if isinstance(value, int | float) and steps is not None:
        return [value] * steps
    return top.array(name)


def _duplicate_faults(top: _View, name: str, key: str) -> Iterator[Fault]:
    first: dict[str, Place] = {}
    for child in top.children(name):
        value = child.get(key)
        if value is None:
            continue
        if value in first:
            message = f"{value!r} is already used at {show_place(first[value])}: give each its own"
            yield child.fault(message, key)
        first.setdefault(value, (*child.place, key))


def _band_faults(band: _View, steps: int | None) -> Iterator[Fault]:
    seen: set[int] = set()
    for position, step in enumerate(band.array("steps") or ()):
        if steps is not None and step >= steps:
            yield band.fault(f"{step} is after the last step: use 0 to {steps - 1}", "steps", position)
        if step in seen:
            yield band.fault(f"step {step} is there twice: name each step once", "steps", position)
        seen.add(step)


def _window_faults(ev: _View, steps: int | None) -> Iterator[Fault]:
    arrival, departure = ev.get("arrival_step"), ev.get("departure_step")
    if steps is not None and departure is not None and departure > steps:
        message = f"{departure} is after the horizon of {steps} steps: a car that stays longer has {steps}"
        yield ev.fault(message, "departure_step")
    if steps is not None and arrival is not None and arrival > steps:
        message = f"{arrival} is after the horizon of {steps} steps: leave out a car that comes later"
        yield ev.fault(message, "arrival_step")
    elif arrival is not None and departure is not None and departure < arrival:
        message = (
            f"{departure} is before arrival_step {arrival}: a car leaves after it came, or at the same step"
        )
        yield ev.fault(message, "departure_step")


def _battery_faults(ev: _View) -> Iterator[Fault]:
    least, capacity = ev.get("min_energy_kwh"), ev.get("capacity_kwh")
    if least is not None and capacity is not None and least > capacity:
        message = f"{least:g} kWh is above capacity_kwh {capacity:g}: the least must fit in it"
        yield ev.fault(message, "min_energy_kwh")


def _power_faults(ev: _View) -> Iterator[Fault]:
    for direction in ("charge", "discharge"):
        least, most = ev.get(f"min_{direction}_kw"), ev.get(f"max_{direction}_kw")
        # A direction that is not available has 0 as its most, whatever its least.
        if least is not None and most is not None and 0.0 < most < least:
            message = f"{least:g} kW is above max_{direction}_kw {most:g}: lower it, or set the most to 0"
            yield ev.fault(message, f"min_{direction}_kw")


def _loss_faults(ev: _View) -> Iterator[Fault]:
    least, most, loss = (ev.get(name) for name in ("min_charge_kw", "max_charge_kw", "charge_loss_kw"))
    efficiency = ev.get("charge_efficiency")
    if loss and most and efficiency is not None and efficiency * (least or 0.0) <= loss:
        message = f"{loss:g} kW is more than min_charge_kw {least or 0.0:g} brings: raise that, or lower this"
        yield ev.fault(message, "charge_loss_kw")
    if ev.get("discharge_loss_kw") and ev.get("max_discharge_kw") and not ev.get("min_discharge_kw"):
        message = "needs min_discharge_kw above 0: without it nobody knows whether the car discharges"
        yield ev.fault(message, "discharge_loss_kw")


def _floor_faults(ev: _View, steps: int | None) -> Iterator[Fault]:
    name = "min_delivered_kwh"
    wanted = None if steps is None else steps + 1
    if isinstance(ev.get(name), int | float):
        yield ev.fault("is a number: give an array of steps + 1 numbers, one per time point", name)
    yield from _length_fault(ev, name, wanted, "one per time point (steps + 1)")
    floor = ev.array(name) or []
    for point in range(1, len(floor)):
        if floor[point] < floor[point - 1]:
            message = f"{floor[point]:g} is below {floor[point - 1]:g} before it: what was delivered stays"
            yield ev.fault(message, name, point)


def _group_faults(group: _View, known: AbstractSet[Any] | None, steps: int | None) -> Iterator[Fault]:
    members = group.array("members") or []
    for position, member in enumerate(members):
        if known is not None and member not in known:
            yield group.fault(f"{member!r} is no ev of this problem: use ids of evs", "members", position)
        if member in members[:position]:
            yield group.fault(f"{member!r} is there twice: name each member once", "members", position)
    weights = group.get("weights")
    for name in weights if isinstance(weights, Mapping) else ():
        if group.get("members") is not None and name not in members:
            yield group.fault(f"{name!r} is no member of this group: use ids of its members", "weights", name)
    for name in ("import_limit_kw", "export_limit_kw"):
        yield from _length_fault(
            group, name, _group_length(group, name, steps), "one per step, or one for all"
        )


def _group_length(group: _View, name: str, steps: int | None) -> int | None:
    # A number was turned into an array of one when the group was read.
    return 1 if len(group.array(name) or ()) == 1 else steps
