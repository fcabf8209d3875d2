"""A street whose stations each do one thing otherwise than their standard says; nobody tells the service."""

from __future__ import annotations

from dataclasses import replace

from simulator.station.quirks import NEEDS_VALUE, Quirk, Quirks
from wijkstroom.scene import Scene

# Values of quirks that need one, as in the quirky models of configs/stations.
VALUES = {
    Quirk.MAX_PERIODS: 16.0,
    Quirk.FLASH_WEARS_OUT: 100.0,
    Quirk.CLOCK_OFFSET: 90.0,
    Quirk.CLOCK_DRIFT: 4.0,
    Quirk.WRONG_ZONE: 2.0,
    Quirk.METER_ERROR: 3.0,
    Quirk.METER_RESOLUTION: 100.0,
    Quirk.METER_ROLLOVER: 100.0,
}
ORDER = tuple(Quirk)


def give_quirks(scene: Scene, first: int = 0) -> Scene:
    """Return a scene in which every station has one quirk more, one after the other.

    Parameters
    ----------
    scene
        The street.
    first
        Which quirk the first station gets, counted from 0 in the order of `Quirk`; after the last comes the
        first again.
    """
    setups = tuple(
        replace(setup, quirks=setup.quirks | _quirk(ORDER[(first + number) % len(ORDER)]))
        for number, setup in enumerate(scene.setups)
    )
    return replace(scene, setups=setups)


def _quirk(quirk: Quirk) -> Quirks:
    return Quirks({quirk: VALUES[quirk] if quirk in NEEDS_VALUE else 1.0})
