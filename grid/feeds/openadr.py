"""OpenADR 3.1 with the Dutch Grid Aware Charging profile (GAC): events as capacity signals, and a client.

We are the VEN (virtual end node); the grid operator runs the VTN. An event must keep the rules of the
profile, `DSO_CPO_INTERFACE`: import capacity in kW, one value an interval, EAN codes as targets, no priority.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from urllib.parse import quote

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from grid.capacity.signals import Block, CapacitySignal, SignalKind, SignalSource
from grid.ean import check_ean18
from grid.errors import Problem, WijkstroomError
from grid.timegrid import to_utc
from grid.topology import Direction

PROGRAM_TYPE: Final = re.compile(r"DSO_CPO_INTERFACE-\d+\.\d+\.\d+")
PAYLOAD_TYPE: Final = "IMPORT_CAPACITY_LIMIT"
UNITS: Final = "KW"
# The profile demands an event that holds while the VTN is silent; it is known by its name.
SAFE_MODE_NAME: Final = "SAFE_MODE"
# A safe mode event has no end of its own: it counts for so long.
SAFE_MODE_SPAN: Final = timedelta(days=365)
# Between an event's id, which cannot have it, and its version in the id of a signal.
_VERSION: Final = "@"
_MOST_KW: Final = 1e6
_TIMEOUT_S: Final = 10.0
_PAGE: Final = 50
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_VEN_NAME = re.compile(r"[A-Z]{2}-[A-Z0-9]{3}")


class OpenAdrError(WijkstroomError):
    """The VTN refused or could not be reached."""


class _Part(BaseModel):
    """Base of messages: camel case as on the wire, further fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class ValuesMap(_Part):
    """A type with its values."""

    type: str
    values: tuple[Any, ...] = ()


class IntervalPeriod(_Part):
    """When something begins and how long it lasts."""

    start: AwareDatetime
    duration: str | None = None


class PayloadDescriptor(_Part):
    """What payloads mean."""

    payload_type: str = Field(alias="payloadType")
    units: str | None = None


class Interval(_Part):
    """One interval of an event."""

    id: int
    interval_period: IntervalPeriod | None = Field(default=None, alias="intervalPeriod")
    payloads: tuple[ValuesMap, ...]


class ObjectOperation(_Part):
    """What a subscription wants to be told, and where."""

    callback_url: str | None = Field(default=None, alias="callbackUrl")


class Subscription(_Part):
    """A subscription to notifications at a VTN."""

    id: str
    object_operations: tuple[ObjectOperation, ...] = Field(default=(), alias="objectOperations")

    def calls(self, url: str) -> bool:
        """Say whether it notifies an address."""
        return any(each.callback_url == url for each in self.object_operations)


class Program(_Part):
    """A program of a VTN."""

    id: str
    program_name: str = Field(alias="programName")
    attributes: tuple[ValuesMap, ...] = ()

    def attribute(self, name: str) -> Any:
        """Return the first value of an attribute, None without."""
        return next((each.values[0] for each in self.attributes if each.type == name and each.values), None)


class Event(_Part):
    """An event of a program."""

    id: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")
    program_id: str = Field(alias="programID")
    event_name: str | None = Field(default=None, alias="eventName")
    priority: int | None = None
    targets: tuple[str, ...] = ()
    payload_descriptors: tuple[PayloadDescriptor, ...] = Field(default=(), alias="payloadDescriptors")
    interval_period: IntervalPeriod | None = Field(default=None, alias="intervalPeriod")
    intervals: tuple[Interval, ...] = ()
    modified_at: AwareDatetime | None = Field(default=None, alias="modificationDateTime")


def check_program(program: Program) -> list[Problem]:
    """List the rules of the profile that a program breaks."""
    problems = []
    if not program.attribute("RETAILER_NAME"):
        problems.append(Problem("attributes", "RETAILER_NAME is missing: name the grid operator"))
    kind = program.attribute("PROGRAM_TYPE")
    if not isinstance(kind, str) or PROGRAM_TYPE.fullmatch(kind) is None:
        problems.append(
            Problem("attributes", f"PROGRAM_TYPE must be like DSO_CPO_INTERFACE-2.1.1, not {kind!r}")
        )
    if program.attribute("BINDING_EVENTS") is not True:
        problems.append(Problem("attributes", "BINDING_EVENTS must be true"))
    return problems


def check_event(event: Event) -> list[Problem]:
    """List the rules of the profile that an event breaks."""
    problems = [*_check_head(event), *_check_targets(event), *_check_intervals(event)]
    return problems or [*_check_reach(event)]


def read_event(event: Event, group: str, sender: str, received_at: datetime) -> CapacitySignal:
    """Return an event that keeps the rules as a capacity signal for one of its targets.

    Intervals that are over are left away: an event that is changed while it runs comes with them.

    Parameters
    ----------
    event
        Checked by `check_event`.
    group
        Our name for the target.
    sender, received_at
        Whose it is, and when it came.
    """
    safe_mode = is_safe_mode(event)
    version = event.modified_at.isoformat() if event.modified_at else "1"
    blocks = tuple(_read_blocks(event, SAFE_MODE_SPAN if safe_mode else None))
    ahead = tuple(block for block in blocks if block.end > received_at)
    return CapacitySignal(
        id=f"{event.id}{_VERSION}{version}#{group}",
        source=SignalSource.OPENADR,
        sender=sender,
        group=group,
        direction=Direction.IMPORT,
        kind=SignalKind.FALLBACK if safe_mode else SignalKind.LIMIT,
        blocks=ahead or blocks,
        received_at=received_at,
    )


def event_id_of(signal: CapacitySignal) -> str:
    """Return the id of the event that a signal was read from."""
    return signal.id.partition(_VERSION)[0]


def is_safe_mode(event: Event) -> bool:
    """Say whether an event is the one that holds while the VTN is silent."""
    return (event.event_name or "").upper().replace(" ", "_").startswith(SAFE_MODE_NAME)


def check_ven_name(name: str) -> str:
    """Return a VEN name like ``NL-LMB`` unchanged (ValueError when it is none)."""
    if _VEN_NAME.fullmatch(name) is None:
        raise ValueError(f"a VEN is named like NL-LMB (country and operator), not {name!r}")
    return name


def parse_duration(text: str) -> timedelta:
    """Return an ISO 8601 duration of days, hours, minutes and seconds (ValueError when it is none)."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no duration like PT15M")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise ValueError(f"{text!r} is longer than any calendar") from error


def _check_head(event: Event) -> Iterator[Problem]:
    if event.priority is not None:
        yield Problem("priority", "must be left away")
    wanted = (PAYLOAD_TYPE, UNITS)
    if [(each.payload_type, each.units) for each in event.payload_descriptors] != [wanted]:
        yield Problem("payloadDescriptors", f"must be exactly one: {PAYLOAD_TYPE} in {UNITS}")


def _check_targets(event: Event) -> Iterator[Problem]:
    if not event.targets:
        yield Problem("targets", "is empty: name EAN codes")
    for index, target in enumerate(event.targets):
        try:
            check_ean18(target)
        except ValueError as error:
            yield Problem(f"targets[{index}]", str(error))


def _check_intervals(event: Event) -> Iterator[Problem]:
    if not event.intervals:
        yield Problem("intervals", "is empty: give one or more")
    ids = [interval.id for interval in event.intervals]
    if any(later <= earlier for earlier, later in pairwise(ids)):
        yield Problem("intervals", "ids must ascend strictly")
    own = [interval.interval_period is not None for interval in event.intervals]
    if (event.interval_period is not None and any(own)) or (event.interval_period is None and not all(own)):
        yield Problem("intervalPeriod", "must stand on the event or on every interval, not on both")
    for index, interval in enumerate(event.intervals):
        yield from _check_payloads(interval, f"intervals[{index}]")
        period = interval.interval_period or event.interval_period
        if period is not None and not is_safe_mode(event):
            try:
                parse_duration(period.duration or "")
            except ValueError as error:
                yield Problem(f"intervals[{index}].intervalPeriod.duration", str(error))


def _check_payloads(interval: Interval, place: str) -> Iterator[Problem]:
    values = [each.values for each in interval.payloads if each.type == PAYLOAD_TYPE]
    if len(interval.payloads) != 1 or len(values) != 1 or len(values[0]) != 1:
        yield Problem(f"{place}.payloads", f"must be one {PAYLOAD_TYPE} with one value")
    elif not _is_power(values[0][0]):
        yield Problem(
            f"{place}.payloads[0].values[0]",
            f"must be a number of kW from 0 to {_MOST_KW:.0f}, not {values[0][0]!r:.60}",
        )


def _is_power(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST_KW


def _check_reach(event: Event) -> Iterator[Problem]:
    try:
        list(_read_blocks(event, SAFE_MODE_SPAN if is_safe_mode(event) else None))
    except OverflowError:
        yield Problem("intervals", "end after the year 9999: correct start and duration")


def _read_blocks(event: Event, span: timedelta | None) -> Iterator[Block]:
    shared = event.interval_period
    begin = None if shared is None else to_utc(shared.start)
    for interval in event.intervals:
        period = interval.interval_period or shared
        assert period is not None, "checked"
        start = to_utc(period.start) if begin is None else begin
        length = span if span is not None else parse_duration(period.duration or "")
        yield Block(start, start + length, float(interval.payloads[0].values[0]))
        begin = None if begin is None else start + length


class VenClient:
    """Asks one VTN.

    Parameters
    ----------
    url
        Its base URL.
    client_id, secret
        OAuth2 client credentials.
    http
        The connection pool.
    """

    def __init__(self, url: str, client_id: str, secret: str, http: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._credentials = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
        }
        self._http = http
        self._token: str | None = None

    async def programs(self) -> list[Program]:
        """Return the programs that we may see."""
        return [Program.model_validate(each) for each in await self._list("programs", {})]

    async def events(self, program_id: str) -> list[dict[str, Any]]:
        """Return the events of a program, as they came: each is judged by itself."""
        return await self._list("events", {"programID": program_id})

    async def report(self, document: dict[str, Any]) -> None:
        """Send a report."""
        await self._ask("POST", "reports", json=document)

    async def subscriptions(self, program_id: str) -> list[Subscription]:
        """Return the subscriptions to a program that we may see."""
        found = await self._list("subscriptions", {"programID": program_id})
        return [Subscription.model_validate(each) for each in found]

    async def subscribe(self, document: dict[str, Any]) -> str:
        """Make a subscription; return its id."""
        return Subscription.model_validate(await self._ask("POST", "subscriptions", json=document)).id

    async def unsubscribe(self, subscription_id: str) -> None:
        """Delete a subscription."""
        await self._ask("DELETE", f"subscriptions/{quote(subscription_id, safe='')}")

    async def _list(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = await self._ask("GET", path, params={**query, "skip": len(found), "limit": _PAGE})
            if not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
                raise OpenAdrError(f"GET {path} did not answer a list of objects")
            found += page
            if len(page) < _PAGE:
                return found

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        for attempt in range(2):
            if self._token is None:
                self._token = await self._fetch_token()
            answer = await self._send(
                method, f"{self._url}/{path}", headers={"Authorization": f"Bearer {self._token}"}, **more
            )
            if answer.status_code == httpx.codes.UNAUTHORIZED and attempt == 0:
                self._token = None  # it expired
                continue
            if not answer.is_success:
                raise OpenAdrError(f"{method} {path} was refused with {answer.status_code}")
            return _read_json(answer, f"{method} {path}")
        raise OpenAdrError(f"{method} {path}: the token was refused twice")

    async def _fetch_token(self) -> str:
        answer = await self._send("POST", f"{self._url}/auth/token", data=self._credentials)
        try:
            return str(answer.raise_for_status().json()["access_token"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise OpenAdrError(f"no token from {self._url}: {error}") from error

    async def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            return await self._http.request(method, url, timeout=_TIMEOUT_S, **more)
        except httpx.HTTPError as error:
            raise OpenAdrError(f"{url} could not be reached: {error}") from error


def _read_json(answer: httpx.Response, asked: str) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        raise OpenAdrError(f"{asked} did not answer JSON: {error}") from error


def build_report(
    program_id: str,
    event_id: str,
    ven_name: str,
    values: Sequence[tuple[datetime, float, float]],
    *,
    resource: str = "AGGREGATED_REPORT",
) -> dict[str, Any]:
    """Return a report of quarter-hour means of import beside what was allowed [kW].

    Parameters
    ----------
    program_id, event_id, ven_name
        Of what, and whose.
    values
        Start of each quarter, its mean, and the limit that was in force then; infinite for none [kW].
    resource
        Which target it is of.
    """
    return {
        "programID": program_id,
        "eventID": event_id,
        "clientName": ven_name,
        "reportName": "import",
        "payloadDescriptors": [
            {"payloadType": "READING", "readingType": "MEAN", "units": UNITS},
            {"payloadType": PAYLOAD_TYPE, "units": UNITS},
        ],
        "resources": [
            {
                "resourceName": resource,
                "intervals": [
                    {
                        "id": number,
                        "intervalPeriod": {"start": start.isoformat(), "duration": "PT15M"},
                        "payloads": list(_tell_quarter(mean_kw, limit_kw)),
                    }
                    for number, (start, mean_kw, limit_kw) in enumerate(values)
                ],
            }
        ],
    }


def _tell_quarter(mean_kw: float, limit_kw: float) -> Iterator[dict[str, Any]]:
    yield {"type": "READING", "values": [round(mean_kw, 3)]}
    if math.isfinite(limit_kw):
        yield {"type": PAYLOAD_TYPE, "values": [round(limit_kw, 3)]}
