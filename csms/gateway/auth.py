"""Who knocks: the station id in the path, the Basic credentials, the subprotocol. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from csms.ocpp.vocabulary import OcppVersion

PATH_PREFIX: Final = "/ocpp/"
# identifierString of 2.x but for the colon, which ends the user name in Basic auth.
_STATION_ID = re.compile(r"[A-Za-z0-9*+=|@._-]{1,48}", re.ASCII)


def read_station_id(path: str) -> str | None:
    """Return the station id of ``/ocpp/{id}``, percent-decoded once; None when it is not one.

    An id has 1 to 48 letters, digits and ``* + = | @ . _ -`` and is not made of dots alone.
    """
    if not path.startswith(PATH_PREFIX):
        return None
    name = path[len(PATH_PREFIX) :].partition("?")[0]
    try:
        station_id = unquote(name, errors="strict")
    except UnicodeDecodeError:
        return None
    if _STATION_ID.fullmatch(station_id) is None or not station_id.strip("."):
        return None
    return station_id


def read_basic_credentials(header: str) -> tuple[bytes, bytes] | None:
    """Return user name and password of an Authorization header, None when it is not Basic or broken.

    The password stays bytes: a 1.6 station may send its key raw.
    """
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


def choose_version(offered: Sequence[str]) -> OcppVersion | None:
    """Return the first subprotocol that the station prefers and we speak."""
    known = {version.value: version for version in OcppVersion}
    return next((known[name] for name in offered if name in known), None)
