"""TOML documents: loaded whole, checked by strict models, refused with every error at once.

A document is read once and each layer validates its own tables. Numbers are never taken from text, unknown
keys are errors, and an error names its place and the remedy.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from grid.errors import DocumentError, Problem

ModelT = TypeVar("ModelT", bound=BaseModel)
ResultT = TypeVar("ResultT")


class StrictModel(BaseModel):
    """Base of all tables: frozen, no unknown keys, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed TOML document.

    Parameters
    ----------
    source
        Name for error messages.
    directory
        Where it stands: files that it names are relative to it.
    tables
        Its top-level tables and arrays of tables.
    """

    source: str
    directory: Path
    tables: dict[str, Any]

    def table(self, name: str, model: type[ModelT]) -> ModelT:
        """Validate one table; a missing one is fine when every key has a default.

        Raises
        ------
        DocumentError
            With every problem of the table.
        """
        if name not in self.tables and any(field.is_required() for field in model.model_fields.values()):
            remedy = f"the table is missing: add [{name}] with the keys {_listed(_required_keys(model))}"
            raise DocumentError(self.source, [Problem(name, remedy)])
        return validate(model, self.tables.get(name, {}), source=self.source, path=name)

    def array(self, name: str, model: type[ModelT]) -> tuple[ModelT, ...]:
        """Validate an array of tables; a missing one is empty.

        Raises
        ------
        DocumentError
            With every problem of every element.
        """
        items = self.tables.get(name, [])
        if not isinstance(items, list):
            raise DocumentError(
                self.source,
                [Problem(name, f"must be an array of tables: write [[{name}]] instead of [{name}]")],
            )
        collector = ProblemCollector(self.source)
        models = [
            collector.attempt(
                lambda item=item, index=index: validate(  # type: ignore[misc]
                    model, item, source=self.source, path=f"{name}[{index}]"
                )
            )
            for index, item in enumerate(items)
        ]
        collector.finish()
        return tuple(model for model in models if model is not None)

    def refuse_unknown_tables(self, known: Iterable[str]) -> None:
        """Refuse top-level names that no layer reads.

        Raises
        ------
        DocumentError
            With one problem per unknown name.
        """
        names = sorted(known)
        problems = [Problem(name, _unknown_key(name, names)) for name in self.tables if name not in names]
        if problems:
            raise DocumentError(self.source, problems)


class ProblemCollector:
    """Gathers the problems of several readings, so that a user sees all of them at once.

    Parameters
    ----------
    source
        Name of the document that is read.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def attempt(self, load: Callable[[], ResultT]) -> ResultT | None:
        """Return what ``load`` returns, or None after noting its problems."""
        try:
            return load()
        except DocumentError as error:
            self.problems += [self._placed(error.source, problem) for problem in error.problems]
            return None

    def _placed(self, source: str, problem: Problem) -> Problem:
        """Name the other document that a problem is in."""
        if source == self.source:
            return problem
        return Problem(f"{source}: {problem.path}" if problem.path else source, problem.message)

    def add(self, path: str, message: str) -> None:
        """Note one problem."""
        self.problems.append(Problem(path, message))

    def finish(self) -> None:
        """Raise everything noted, if anything was.

        Raises
        ------
        DocumentError
            With every problem, in the order in which they were noted.
        """
        if self.problems:
            raise DocumentError(self.source, self.problems)


def load_document(path: Path) -> Document:
    """Read a TOML file.

    Raises
    ------
    DocumentError
        When the file is missing, unreadable or no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(
            str(path), [Problem("", f"cannot be read ({error}): give the path of a TOML file")]
        ) from error
    return parse_document(text, source=str(path), directory=path.parent)


def parse_document(text: str, *, source: str, directory: Path) -> Document:
    """Parse TOML text.

    Raises
    ------
    DocumentError
        When the text is no TOML, with line and column.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(source, [Problem("", f"is no TOML: {error}")]) from error
    return Document(source, directory, tables)


def validate(model: type[ModelT], data: object, *, source: str, path: str = "") -> ModelT:
    """Validate plain data (of TOML or JSON) strictly: text is no number, a number is no switch.

    Parameters
    ----------
    model
        What it must be.
    data
        Mappings, lists, text, numbers, dates.
    source, path
        Name of the document and place of ``data`` in it, for the messages.

    Raises
    ------
    DocumentError
        With every problem.
    """
    try:
        # Strict JSON is what configuration needs: lists become tuples and text becomes enums and times of
        # day, but "400" does not become 400.
        return model.model_validate_json(json.dumps(data, default=_encode), strict=True)
    except ValidationError as error:
        raise DocumentError(source, list_problems(error, model, path)) from error


def list_problems(error: ValidationError, model: type[BaseModel], path: str = "") -> list[Problem]:
    """Turn a validation error into problems with paths and remedies."""
    return [
        Problem(_join(path, detail["loc"]), _message(detail, model))
        for detail in error.errors(include_url=False, include_context=True)
    ]


def _encode(value: object) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no configuration value")


def _join(path: str, location: tuple[int | str, ...]) -> str:
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, location = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        return _unknown_key(str(location[-1]), _known_keys(_model_at(model, location[:-1])))
    if kind == "missing":
        return "is missing: add it"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    text = detail["msg"][:1].lower() + detail["msg"][1:]
    given = repr(detail["input"])
    shown = given if len(given) <= 60 else given[:57] + "..."  # noqa: PLR2004 - a line's worth of the value
    return f"{text}, not {shown}"


def _unknown_key(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown key: {guess}known keys are {_listed(known)}; remove or correct it"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _required_keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required()]


def _known_keys(model: type[BaseModel] | None) -> list[str]:
    return sorted(field.alias or name for name, field in model.model_fields.items()) if model else []


def _model_at(model: type[BaseModel] | None, location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Find the model that validates the object at a location."""
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        fields: Mapping[str, Any] = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in fields:
            model = next(_models_in(fields[part].annotation), None)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, UnionType, tuple, list, dict}:
        for argument in get_args(annotation):
            yield from _models_in(argument)
