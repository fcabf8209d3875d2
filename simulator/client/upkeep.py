"""Local lists, reservations, updates and logs on the wire, in the words of both generations of OCPP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ocpp.routing import on

from simulator.client.endpoint import StationContext
from simulator.station.firmware import Firmware
from simulator.station.upkeep import Reservation

Payload = dict[str, Any]


class Keeping:
    """What a connection needs of its station for all that."""

    _context: StationContext
    _firmware: Firmware

    def _keep_list(self, version: int, kind: str, entries: Sequence[tuple[str, Payload | None]]) -> str:
        cards = self._firmware.upkeep.cards
        listed = [(token, None if info is None else str(info["status"])) for token, info in entries]
        return cards.update(version, listed, full=kind == "Full")

    def _keep_socket(self, reservation_id: int, evse_id: int | None, token: str, until: str) -> str:
        """Keep a socket, any free one when none is named."""
        now = self._context.now()
        answers = []
        for one in [evse_id] if evse_id else list(self._firmware.evses):
            if one not in self._firmware.evses:
                return "Rejected"
            reservation = Reservation(reservation_id, one, token, datetime.fromisoformat(until))
            answers.append(self._firmware.reserve(reservation, now))
            if answers[-1] == "Accepted":
                break
        self._context.on_change()
        return answers[-1]

    def _free_socket(self, reservation_id: int) -> str:
        known = self._firmware.cancel_reservation(reservation_id, self._context.now())
        self._context.on_change()
        return "Accepted" if known else "Rejected"

    def _begin(self, at: str | None) -> datetime:
        now = self._context.now()
        return now if at is None else max(now, datetime.fromisoformat(at))


class Keeping16(Keeping):
    """The words of 1.6; mixed into the package's class."""

    _results: Any

    @on("SendLocalList", skip_schema_validation=True)
    def _on_send_list(
        self,
        list_version: int,
        update_type: str,
        local_authorization_list: Sequence[Payload] | None = None,
    ) -> Any:
        entries = [(one["id_tag"], one.get("id_tag_info")) for one in local_authorization_list or ()]
        return self._results.SendLocalList(self._keep_list(list_version, update_type, entries))

    @on("GetLocalListVersion", skip_schema_validation=True)
    def _on_list_version(self) -> Any:
        return self._results.GetLocalListVersion(self._firmware.upkeep.cards.version)

    @on("ReserveNow", skip_schema_validation=True)
    def _on_reserve(
        self, connector_id: int, expiry_date: str, id_tag: str, reservation_id: int, **_: Any
    ) -> Any:
        status = self._keep_socket(reservation_id, connector_id or None, id_tag, expiry_date)
        return self._results.ReserveNow(status)

    @on("CancelReservation", skip_schema_validation=True)
    def _on_cancel(self, reservation_id: int) -> Any:
        return self._results.CancelReservation(self._free_socket(reservation_id))

    @on("UpdateFirmware", skip_schema_validation=True)
    def _on_update(self, location: str, retrieve_date: str, **_: Any) -> Any:
        del location
        self._firmware.upkeep.plan_update(self._begin(retrieve_date), None)
        self._context.on_change()
        return self._results.UpdateFirmware()

    @on("GetDiagnostics", skip_schema_validation=True)
    def _on_diagnostics(self, location: str, **_: Any) -> Any:
        del location
        self._firmware.upkeep.plan_log(self._begin(None), None)
        self._context.on_change()
        return self._results.GetDiagnostics(f"{self._context.setup.id}.log")


class KeepingTwo(Keeping):
    """The words of 2.0.1 and 2.1; mixed into the package's classes."""

    _call_result: Any

    @on("SendLocalList", skip_schema_validation=True)
    def _on_send_list(
        self,
        version_number: int,
        update_type: str,
        local_authorization_list: Sequence[Payload] | None = None,
        **_: Any,
    ) -> Any:
        entries = [
            (one["id_token"]["id_token"], one.get("id_token_info")) for one in local_authorization_list or ()
        ]
        return self._call_result.SendLocalList(self._keep_list(version_number, update_type, entries))

    @on("GetLocalListVersion", skip_schema_validation=True)
    def _on_list_version(self, **_: Any) -> Any:
        return self._call_result.GetLocalListVersion(self._firmware.upkeep.cards.version)

    @on("ReserveNow", skip_schema_validation=True)
    def _on_reserve(
        self,
        id: int,  # noqa: A002 - the package passes the standard's names
        expiry_date_time: str,
        id_token: Payload,
        evse_id: int | None = None,
        **_: Any,
    ) -> Any:
        status = self._keep_socket(id, evse_id, id_token["id_token"], expiry_date_time)
        return self._call_result.ReserveNow(status)

    @on("CancelReservation", skip_schema_validation=True)
    def _on_cancel(self, reservation_id: int, **_: Any) -> Any:
        return self._call_result.CancelReservation(self._free_socket(reservation_id))

    @on("UpdateFirmware", skip_schema_validation=True)
    def _on_update(self, request_id: int, firmware: Payload, **_: Any) -> Any:
        self._firmware.upkeep.plan_update(self._begin(firmware["retrieve_date_time"]), request_id)
        self._context.on_change()
        return self._call_result.UpdateFirmware("Accepted")

    @on("GetLog", skip_schema_validation=True)
    def _on_log(self, request_id: int, **_: Any) -> Any:
        self._firmware.upkeep.plan_log(self._begin(None), request_id)
        self._context.on_change()
        return self._call_result.GetLog("Accepted", filename=f"{self._context.setup.id}.log")
