"""Errors as problem documents (RFC 9457): which field, what is wrong, what to do."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from grid.config import list_problems
from grid.errors import Problem, WijkstroomError

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_REMEDIES: Final = {
    HTTPStatus.NOT_FOUND: "no such page: /docs lists what there is",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not take that method: /docs lists those that it takes",
}


class FieldError(BaseModel):
    """One thing that is wrong with a request.

    Parameters
    ----------
    field
        Where: a key of the body, a parameter of the query or of the path; empty for the whole body.
    message
        What is wrong and what to do.
    """

    field: str
    message: str


class ProblemDocument(BaseModel):
    """What every refusal looks like.

    Parameters
    ----------
    title
        The meaning of the status.
    status
        HTTP status.
    detail
        What is wrong and what to do.
    errors
        The fields that are wrong, when fields are.
    """

    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class ApiError(WijkstroomError):
    """A request is refused.

    Parameters
    ----------
    status
        HTTP status.
    detail
        What is wrong and what to do.
    problems
        The fields that are wrong.
    headers
        Further headers of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        super().__init__(detail)


def not_found(what: str, name: str, where: str) -> ApiError:
    """Make the refusal of a name that nobody has.

    Parameters
    ----------
    what, name
        The kind of thing, and the name that was asked for.
    where
        The path that lists those that there are.
    """
    return ApiError(HTTPStatus.NOT_FOUND, f"there is no {what} {name[:100]!r}: {where} lists those there are")


def refused_fields(problems: Sequence[Problem]) -> ApiError:
    """Make the refusal of fields that are well-formed but cannot be."""
    named = ", ".join(dict.fromkeys(problem.path for problem in problems if problem.path)) or "the body"
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"refused: correct {named}", problems)


def problem_response(
    status: HTTPStatus,
    detail: str,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document as an answer."""
    document = ProblemDocument(
        title=status.phrase,
        status=status.value,
        detail=detail,
        errors=[FieldError(field=problem.path, message=problem.message) for problem in problems],
    )
    return JSONResponse(
        document.model_dump(), status_code=status.value, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Make an application answer every error with a problem document."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_failure)


async def _on_api_error(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, ApiError), "installed for it"
    return problem_response(error.status, error.detail, error.problems, error.headers)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "installed for it"
    return await _on_api_error(request, refused_fields(_list_invalid(request, error)))


async def _on_http(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException), "installed for it"
    status = HTTPStatus(error.status_code)
    return problem_response(status, _REMEDIES.get(status, str(error.detail)), headers=error.headers)


async def _on_failure(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed: its log says why; try again"
    )


def _list_invalid(request: Request, error: RequestValidationError) -> list[Problem]:
    """List what is wrong with query, path and body, in the words that configuration files get too."""
    problems = [_read_detail(detail) for detail in error.errors() if detail["loc"][:1] != ("body",)]
    details = [detail for detail in error.errors() if detail["loc"][:1] == ("body",)]
    model = _body_model(request)
    if details and model is not None and isinstance(error.body, dict):
        try:
            model.model_validate_json(json.dumps(error.body, default=str))
        except ValidationError as invalid:
            return problems + list_problems(invalid, model)
    return problems + [_read_detail(detail) for detail in details]


def _body_model(request: Request) -> type[BaseModel] | None:
    field = getattr(request.scope.get("route"), "body_field", None)
    annotation = None if field is None else field.field_info.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _read_detail(detail: Mapping[str, Any]) -> Problem:
    place, *rest = detail["loc"]
    if detail["type"] == "json_invalid":
        return Problem("", f"the body is no JSON ({detail['ctx']['error']}): send one JSON object")
    if detail["type"] == "missing":
        return Problem(".".join(map(str, rest)), f"is missing from the {place}: add it")
    text = detail["msg"][:1].lower() + detail["msg"][1:]
    return Problem(".".join(map(str, rest)), f"{text}, not {detail['input']!r:.60}")
