"""What is answered for a city: every site's plan, what flows through each node, the bound."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from optimizer.plan import PeakBandPlan, Plan, PlanStatus, Proof, Stop


def _read_status(value: Any) -> Any:
    if isinstance(value, str):
        proof, _, stop = value.removesuffix(")").partition(" (")
        return PlanStatus(proof=Proof(proof), stop=Stop(stop))
    return value


class Quota(BaseModel):
    """What a site may do without asking the city: its share of every limit above it, step by step [kW].

    As long as each site stays within its quota, no limit of a node is broken. None: nothing above counts
    this flow.

    Parameters
    ----------
    import_kw, export_kw
        Most net import and net export, for limits with confirmed netting and for peaks.
    import_without_relief_kw, export_without_relief_kw
        The same without counting discharge as relief of import, and charge of export.
    """

    model_config = ConfigDict(frozen=True)

    import_kw: tuple[float, ...] | None = None
    import_without_relief_kw: tuple[float, ...] | None = None
    export_kw: tuple[float, ...] | None = None
    export_without_relief_kw: tuple[float, ...] | None = None


class SitePlan(BaseModel):
    """The plan of one site.

    Parameters
    ----------
    quota
        For plans of this site alone, until the city is planned again.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    plan: Plan
    quota: Quota = Quota()


class NodePlan(BaseModel):
    """What flows through a node.

    Parameters
    ----------
    import_kw, export_kw
        Net flow in each step [kW].
    limit_excess_kw
        Power over the node's limits that base load or sun alone causes, in each step [kW].
    import_value_eur_per_kwh, export_value_eur_per_kwh
        Estimated worth of one more kW of limit in each step, from the prices that coordinated the sites
        [EUR/kWh].
    """

    model_config = ConfigDict(frozen=True)

    id: str
    import_kw: tuple[float, ...]
    export_kw: tuple[float, ...]
    limit_excess_kw: tuple[float, ...]
    peak_bands: tuple[PeakBandPlan, ...] = ()
    import_value_eur_per_kwh: tuple[float, ...] = ()
    export_value_eur_per_kwh: tuple[float, ...] = ()


class CityPlan(BaseModel):
    """A checked plan of a city.

    Parameters
    ----------
    bound_eur
        No plan of the city costs less [EUR]. None when the solver gave no bound.
    objective_eur
        The sites' objectives, the nodes' peaks, and the priced excess of nodes [EUR].
    money_eur
        The sites' money and the nodes' peaks [EUR].
    gap
        ``(objective_eur - bound_eur) / max(abs(objective_eur), 0.01)`` [fraction].
    """

    model_config = ConfigDict(frozen=True)

    status: Annotated[PlanStatus, BeforeValidator(_read_status), PlainSerializer(str, return_type=str)]
    bound_eur: float | None
    objective_eur: float
    money_eur: float
    gap: float | None
    solve_seconds: float
    sites: tuple[SitePlan, ...]
    nodes: tuple[NodePlan, ...]
    explanation: tuple[str, ...] = ()
