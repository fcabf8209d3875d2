"""The API as an application: routes, token, problem documents, bounds."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI

from csms.api import problems
from csms.api.access import build_access
from csms.api.actions import build_actions
from csms.api.auth import require_right
from csms.api.bookings import build_bookings
from csms.api.bounds import BoundedBody, SecureHeaders
from csms.api.commands import build_commands
from csms.api.compliance import build_compliance
from csms.api.context import PREFIX, ApiContext
from csms.api.exports import build_exports
from csms.api.fleet import build_fleet
from csms.api.health import build_health
from csms.api.plans import build_plans
from csms.api.problems import ProblemDocument
from csms.api.reports import build_reports
from csms.api.sessions import build_sessions
from csms.api.signals import build_signals
from csms.api.stations import build_stations
from csms.api.street import build_street

DESCRIPTION = """One street: its charging stations, sessions, plans, meters and limits.

Powers are in kW and > 0 when they flow into the vehicle or the street, energies in kWh, money in EUR: the
unit stands in the name. Instants have a time zone. Everything under `/api/v1` needs
`Authorization: Bearer TOKEN`; `GET /api/v1/me` says in which role. A refusal is a problem document
(RFC 9457) that names every wrong field and what to do.
"""


def build_application(context: ApiContext) -> FastAPI:
    """Return the API.

    Parameters
    ----------
    context
        What the routes are given.
    """
    app = FastAPI(
        title="wijkstroom",
        version=version("wijkstroom"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    problems.install(app)
    app.add_middleware(BoundedBody)
    app.add_middleware(SecureHeaders)
    app.include_router(build_health(context))
    refusals: dict[int | str, dict[str, Any]] = {
        code: {"model": ProblemDocument} for code in (401, 403, 404, 422)
    }
    router = APIRouter(
        prefix=PREFIX,
        dependencies=[Depends(require_right(context.operator_token, context.service.identify, PREFIX))],
        responses=refusals,
    )
    for build in (
        build_access,
        build_stations,
        build_reports,
        build_actions,
        build_commands,
        build_sessions,
        build_exports,
        build_plans,
        build_bookings,
        build_signals,
        build_compliance,
        build_street,
    ):
        router.include_router(build(context))
    if context.fleet is not None:
        router.include_router(build_fleet(context, context.fleet))
    app.include_router(router)
    return app
