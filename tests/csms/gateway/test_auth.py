"""Who is let in: ids, credentials, subprotocols."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.gateway.auth import choose_version, read_basic_credentials, read_station_id
from csms.ocpp.vocabulary import OcppVersion


@pytest.mark.parametrize(
    ("path", "station_id"),
    [
        ("/ocpp/LMB-01", "LMB-01"),
        ("/ocpp/RDAM%7C123", "RDAM|123"),
        ("/ocpp/" + "x" * 48, "x" * 48),
        ("/ocpp/a.b@c+d=e*f_g", "a.b@c+d=e*f_g"),
        ("/ocpp/LMB-01?token=1", "LMB-01"),
    ],
)
def test_an_id_is_decoded_once(path: str, station_id: str) -> None:
    assert read_station_id(path) == station_id


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ocpp",
        "/ocpp/",
        "/other/LMB-01",
        "/ocpp/a/b",
        "/ocpp/a%2Fb",
        "/ocpp/%252F",
        "/ocpp/..",
        "/ocpp/%2e%2e",
        "/ocpp/a%00b",
        "/ocpp/a:b",
        "/ocpp/a%0d%0ab",
        "/ocpp/caf%C3%A9",
        "/ocpp/%FF",
        "/ocpp/" + "x" * 49,
        "/ocpp/a b",
    ],
)
def test_hostile_ids_are_none(path: str) -> None:
    """T05."""
    assert read_station_id(path) is None


@given(st.text())
def test_no_path_raises(path: str) -> None:
    station_id = read_station_id("/ocpp/" + path)
    assert station_id is None or 1 <= len(station_id) <= 48


@given(st.text(alphabet="abc-1", min_size=1), st.binary())
def test_a_password_may_be_raw_bytes(user: str, password: bytes) -> None:
    """T09."""
    header = "Basic " + base64.b64encode(user.encode() + b":" + password).decode()
    assert read_basic_credentials(header) == (user.encode(), password)


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Bearer YTpi", "Basic YWI=", "Basic caf\xe9"])
def test_broken_credentials_are_none(header: str) -> None:
    assert read_basic_credentials(header) is None


@pytest.mark.parametrize(
    ("offered", "version"),
    [
        (["ocpp1.6"], OcppVersion.V16),
        (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], OcppVersion.V21),
        (["ocpp1.6", "ocpp2.0.1"], OcppVersion.V16),
        (["ocpp1.5", "ocpp2.0.1"], OcppVersion.V201),
        (["ocpp2.0"], None),
        ([], None),
    ],
)
def test_the_stations_preference_counts(offered: list[str], version: OcppVersion | None) -> None:
    """T01-T03."""
    assert choose_version(offered) is version
