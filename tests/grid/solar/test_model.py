from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from grid.solar.model import PvArray, clear_sky_ghi_w_m2, clear_sky_pv_kw, pv_kw
from grid.timegrid import QUARTER, TimeGrid, quarters_of_local_day

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
LOMBOK = PvArray(52.0945, 5.1035, peak_kw=120.0, tilt_degrees=15.0, azimuth_degrees=180.0)
JUNE = quarters_of_local_day(date(2024, 6, 11), AMSTERDAM).starts
DECEMBER = quarters_of_local_day(date(2024, 12, 21), AMSTERDAM).starts


def like(starts: tuple[datetime, ...], value: float) -> NDArray[np.float64]:
    return np.full(len(starts), value)


def clear(array: PvArray, starts: tuple[datetime, ...]) -> NDArray[np.float64]:
    return clear_sky_pv_kw(array, starts, like(starts, 15.0), like(starts, 3.0))


def test_a_clear_june_day() -> None:
    power = clear(LOMBOK, JUNE)
    noon = int(np.argmax(power))
    assert 85.0 < power[noon] < 110.0
    solar_noon = JUNE[noon].astimezone(AMSTERDAM)
    assert solar_noon.hour * 60 + solar_noon.minute == pytest.approx(13 * 60 + 40, abs=30)
    assert power[:16].max() == 0.0
    assert 6.5 < power.sum() / 4 / 120.0 < 8.0


def test_a_clear_december_day_gives_far_less() -> None:
    assert 0.05 < clear(LOMBOK, DECEMBER).sum() / clear(LOMBOK, JUNE).sum() < 0.25


def test_clear_sky_irradiance_has_its_published_size() -> None:
    irradiance = clear_sky_ghi_w_m2(LOMBOK, JUNE)
    assert 830.0 < irradiance.max() < 920.0
    assert irradiance.min() == 0.0


def test_the_sun_stands_in_the_middle_of_the_quarter() -> None:
    """A day of quarters sees morning and evening alike around true solar noon."""
    equinox = quarters_of_local_day(date(2024, 9, 22), ZoneInfo("UTC")).starts
    irradiance = clear_sky_ghi_w_m2(PvArray(52.0, 0.0, 1.0, 0.0, 180.0), equinox)
    hours = np.arange(96) / 4 + 0.125
    # The equation of time on that day is +7.3 minutes: noon comes early.
    assert (irradiance @ hours) / irradiance.sum() == pytest.approx(12.0 - 7.3 / 60, abs=0.05)


def test_no_light_no_power_and_never_negative() -> None:
    assert not pv_kw(LOMBOK, JUNE, like(JUNE, 0.0), like(JUNE, 15.0), like(JUNE, 3.0)).any()


def test_heat_costs_and_wind_helps() -> None:
    irradiance = clear_sky_ghi_w_m2(LOMBOK, JUNE)
    mild = pv_kw(LOMBOK, JUNE, irradiance, like(JUNE, 15.0), like(JUNE, 3.0)).sum()
    hot = pv_kw(LOMBOK, JUNE, irradiance, like(JUNE, 30.0), like(JUNE, 3.0)).sum()
    windy = pv_kw(LOMBOK, JUNE, irradiance, like(JUNE, 15.0), like(JUNE, 10.0)).sum()
    assert hot < mild < windy
    assert hot / mild == pytest.approx(1 - 15 * 0.0035, abs=0.015)


def test_losses_and_size_scale() -> None:
    lossless = PvArray(52.0945, 5.1035, 120.0, 15.0, 180.0, loss_fraction=0.0)
    small = PvArray(52.0945, 5.1035, 12.0, 15.0, 180.0)
    assert clear(LOMBOK, JUNE).sum() / clear(lossless, JUNE).sum() == pytest.approx(0.9, abs=0.01)
    assert np.allclose(clear(small, JUNE) * 10, clear(LOMBOK, JUNE))


def test_directions_matter() -> None:
    east, west = (PvArray(52.0945, 5.1035, 120.0, 30.0, azimuth) for azimuth in (90.0, 270.0))
    morning = slice(24, 48)
    assert clear(east, JUNE)[morning].sum() > 1.3 * clear(west, JUNE)[morning].sum()
    steep = PvArray(52.0945, 5.1035, 120.0, 60.0, 180.0)
    assert clear(steep, DECEMBER).sum() > 1.3 * clear(LOMBOK, DECEMBER).sum()


def test_the_inverter_bounds_the_power() -> None:
    bright = pv_kw(LOMBOK, JUNE, like(JUNE, 1500.0), like(JUNE, -20.0), like(JUNE, 20.0))
    assert bright.max() <= 120.0


def test_clock_change_days_and_the_turn_of_the_year() -> None:
    for day in (date(2024, 3, 31), date(2024, 10, 27), date(2024, 12, 31)):
        starts = quarters_of_local_day(day, AMSTERDAM).starts
        assert len(clear(LOMBOK, starts)) == len(starts)
    across = TimeGrid(datetime(2024, 12, 31, 20, tzinfo=UTC) - timedelta(hours=9), QUARTER, 96).starts
    assert np.all(np.isfinite(clear(LOMBOK, across)))
