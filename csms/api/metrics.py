"""Figures for a monitoring system, in the text format of Prometheus. Nothing personal, no session ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from csms.api.context import ApiContext
from csms.gateway.counters import ErrorKind
from grid.capacity.envelope import compute_envelope
from grid.timegrid import floor_quarter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class StreetCollector(Collector):
    """Reads the street when it is asked.

    Parameters
    ----------
    context
        What there is to read.
    """

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        yield from self._collect_gateway()
        yield from self._collect_stations()
        yield from self._collect_meters()
        yield from self._collect_limits()

    def _collect_gateway(self) -> Iterator[Metric]:
        counters = self._context.counters
        messages = CounterMetricFamily(
            "wijkstroom_ocpp_messages", "Frames of any kind since the start.", labels=["direction"]
        )
        messages.add_metric(["in"], counters.messages_in)
        messages.add_metric(["out"], counters.messages_out)
        yield messages
        errors = CounterMetricFamily(
            "wijkstroom_ocpp_errors", "What went wrong on the wire since the start.", labels=["kind"]
        )
        for kind in ErrorKind:
            errors.add_metric([kind.value], counters.errors[kind])
        yield errors
        yield CounterMetricFamily(
            "wijkstroom_connections", "Station connections accepted since the start.", counters.connections
        )

    def _collect_stations(self) -> Iterator[Metric]:
        stations = self._context.service.state.stations.values()
        connected = sum(station.connected for station in stations)
        configured = len(self._context.service.catalogue.stations)
        yield GaugeMetricFamily("wijkstroom_stations_configured", "Stations in the street file.", configured)
        yield GaugeMetricFamily("wijkstroom_stations_connected", "Stations that are connected.", connected)
        evses = [evse for station in stations for evse in station.evses.values()]
        statuses = GaugeMetricFamily("wijkstroom_evses", "Sockets by their last status.", labels=["status"])
        for status, count in sorted(Counter(evse.status.value for evse in evses).items()):
            statuses.add_metric([status], count)
        yield statuses
        powers_kw = [evse.session.power_kw for evse in evses if evse.session is not None]
        yield GaugeMetricFamily("wijkstroom_sessions", "Running sessions.", len(powers_kw))
        power = GaugeMetricFamily(
            "wijkstroom_session_power_kw", "Measured power of all sessions [kW].", labels=["direction"]
        )
        power.add_metric(["charge"], sum(each for each in powers_kw if each > 0))
        power.add_metric(["discharge"], -sum(each for each in powers_kw if each < 0))
        yield power

    def _collect_meters(self) -> Iterator[Metric]:
        now, meters = self._context.clock.now(), self._context.service.state.meters
        power = GaugeMetricFamily(
            "wijkstroom_meter_power_kw", "Last reading, > 0 from the grid [kW].", labels=["meter"]
        )
        age = GaugeMetricFamily(
            "wijkstroom_meter_age_seconds", "Age of the last reading [s].", labels=["meter"]
        )
        energy = CounterMetricFamily(
            "wijkstroom_meter_energy_kwh", "Register of a street meter [kWh].", labels=["meter", "direction"]
        )
        for meter in self._context.service.catalogue.service.meters:
            reading = meters.get(meter.id)
            if reading is not None:
                power.add_metric([meter.id], reading.power_kw)
                age.add_metric([meter.id], (now - reading.read_at).total_seconds())
                energy.add_metric([meter.id, "import"], reading.import_kwh)
                energy.add_metric([meter.id, "export"], reading.export_kwh)
        yield from (power, age, energy)

    def _collect_limits(self) -> Iterator[Metric]:
        grid, service = self._context.grid, self._context.service.catalogue.service
        start = floor_quarter(self._context.clock.now())
        limits = GaugeMetricFamily(
            "wijkstroom_limit_kw",
            "Lowest limit of a node in the running quarter [kW].",
            labels=["node", "direction"],
        )
        for node in grid.topology.nodes:
            envelope = compute_envelope(
                grid.topology,
                node.id,
                [start],
                grid.tz,
                service.power_factor,
                signals=self._context.service.state.signals,
                known_at=self._context.clock.now(),
            )
            limits.add_metric([node.id, "import"], float(envelope.import_limit_kw[0]))
            limits.add_metric([node.id, "export"], float(envelope.export_limit_kw[0]))
        yield limits
        ready = not self._context.check_ready()
        yield GaugeMetricFamily("wijkstroom_ready", "1 when the service is ready to work.", float(ready))


def expose(context: ApiContext) -> bytes:
    """Return all figures as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StreetCollector(context))
    return generate_latest(registry)
