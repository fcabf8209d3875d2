"""The reference of all configuration files, made from the models that read them: it cannot be out of date."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from csms.settings import ServiceConfig, StationConfig, StationModel
from grid.street import NodeTable, PricesTable, StreetTable, SunTable, TariffTable
from grid.tariffs.contract import GridContract
from grid.tariffs.network import TariffSheet
from grid.topology import Connection
from simulator.config import SimulationConfig

INTRODUCTION = """# Configuration

Every file is TOML. Unknown keys are errors, and all mistakes of a file are told at once with their place and
the remedy. Files that a street file names are looked for beside it, then among the shipped ones. Secrets and
addresses come from the environment: `WIJKSTROOM_OPERATOR_TOKEN`, `WIJKSTROOM_PEPPER`,
`WIJKSTROOM_OPENADR_SECRETS`, `WIJKSTROOM_ENTSOE_TOKEN`, `WIJKSTROOM_WEATHER_KEY`,
`WIJKSTROOM_HOST`.

This page is made by `wijkstroom configuration` from the models that read the files.
"""
SECTIONS: tuple[tuple[str, str, tuple[tuple[str, type[BaseModel]], ...]], ...] = (
    (
        "Street files",
        "`configs/lombok.toml` is the example.",
        (
            ("[street]", StreetTable),
            ("[[nodes]]", NodeTable),
            ("[[connections]]", Connection),
            ("[[stations]]", StationConfig),
            ("[prices]", PricesTable),
            ("[tariff]", TariffTable),
            ("[sun]", SunTable),
            ("[service]", ServiceConfig),
            ("[simulation]", SimulationConfig),
        ),
    ),
    ("Station models", "`configs/stations/*.toml`.", (("the file", StationModel),)),
    ("Tariff sheets", "`configs/tariffs/*.toml`.", (("the file", TariffSheet),)),
    ("Contracts", "`configs/contracts/*.toml`.", (("the file", GridContract),)),
)
_ENTRY = re.compile(r"^ {4}(\S.*?)\n((?: {8}.*\n?)+)", re.MULTILINE)


def render_configuration() -> str:
    """Return the reference as Markdown."""
    lines = [INTRODUCTION]
    for title, where, tables in SECTIONS:
        lines += [f"## {title}", "", where, ""]
        for name, model in tables:
            lines += _render(name, model)
    return "\n".join(lines).rstrip() + "\n"


def list_models() -> list[type[BaseModel]]:
    """Return every model of a configuration file, those inside others included."""
    found: list[type[BaseModel]] = []
    for _, _, tables in SECTIONS:
        for _, model in tables:
            found += [each for _, each in _walk("", model)]
    return list(dict.fromkeys(found))


def _render(name: str, model: type[BaseModel]) -> Iterator[str]:
    for path, each in _walk(name, model):
        meanings = read_meanings(each)
        yield from (f"### `{path}`" if path.startswith("[") else f"### {path}", "", _first_line(each), "")
        yield from ("| key | value | default | meaning |", "|---|---|---|---|")
        for key, field in each.model_fields.items():
            shown = field.alias or key
            yield f"| `{shown}` | {_kind(field)} | {_default(field)} | {meanings.get(key, '')} |"
        yield ""


def _walk(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for key, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            yield from _walk(_nested(path, key, field.annotation), inner)


def _nested(path: str, key: str, annotation: Any) -> str:
    bare = path.strip("[]")
    name = f"{bare}.{key}" if path.startswith("[") else key
    origins = {get_origin(each) for each in _unfold(annotation)}
    if dict in origins:
        return f"[{name}.NAME]"
    return f"[[{name}]]" if tuple in origins else f"[{name}]"


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    found = [each for each in _unfold(annotation) if inspect.isclass(each) and issubclass(each, BaseModel)]
    return list(dict.fromkeys(found))


def _unfold(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is Annotated:
        yield from _unfold(get_args(annotation)[0])
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _unfold(part)


def read_meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstring of a model says of each key, with pipes escaped for tables."""
    text = (inspect.getdoc(model) or "").split("Parameters\n----------\n", 1)
    if len(text) == 1:
        return {}
    body = "".join(f"    {line}\n" for line in text[1].split("\n\n", 1)[0].splitlines())
    meanings: dict[str, str] = {}
    for names, meaning in _ENTRY.findall(body):
        flat = " ".join(meaning.split()).replace("|", "\\|")
        meanings |= {name.strip(): flat for name in names.split(",")}
    return meanings


def _first_line(model: type[BaseModel]) -> str:
    line = (inspect.getdoc(model) or "").splitlines()[0]
    line = re.sub(r"^``[^`]*``:\s*", "", line)
    return line[:1].upper() + line[1:]


def _kind(field: FieldInfo) -> str:
    return _describe(field.annotation)


def _describe(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        shown = _describe(parts[0])
    elif origin in (Union, UnionType):
        shown = " or ".join(dict.fromkeys(_describe(part) for part in parts if part is not type(None)))
    elif origin is tuple:
        shown = f"list of {_describe(parts[0])}"
    elif origin is dict:
        shown = f"table of {_describe(parts[1])}"
    elif origin is Literal:
        shown = ", ".join(f"`{part}`" for part in parts)
    else:
        shown = _describe_class(annotation)
    return shown


def _describe_class(kind: type) -> str:
    if issubclass(kind, Enum):
        return ", ".join(f"`{each.value}`" for each in kind)
    if issubclass(kind, BaseModel):
        return "table"
    names = {float: "number", int: "whole number", str: "text", bool: "`true`, `false`"}
    return names.get(kind, kind.__name__)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel) or value in ((), {}, ""):
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`".replace("'", '"')
