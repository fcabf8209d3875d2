"""The pages: the live page with its stream, the description of the API, and the door before them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from csms.api.bounds import CONTENT_SECURITY_POLICY, SECURITY_HEADERS
from csms.api.problems import ApiError
from csms.web.assets import load_assets
from csms.web.control import StationDesk, add_stations
from csms.web.door import PageDoor
from csms.web.feed import LiveFeed, TooManyViewersError
from csms.web.network import GridDesk, add_grid
from csms.web.uploads import UploadDesk, add_uploads

# The description's toolkit writes its icons as data URLs and some of its styles inline.
_DOCS_HEADERS: Final = {
    CONTENT_SECURITY_POLICY: SECURITY_HEADERS[CONTENT_SECURITY_POLICY]
    .replace("img-src 'self'", "img-src 'self' data:")
    .replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
}
_STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_SWAGGER: Final = {"swagger-ui-bundle.js", "swagger-ui.css"}


def build_pages(
    feed: LiveFeed, door: PageDoor, desk: StationDesk, grid_desk: GridDesk, upload_desk: UploadDesk
) -> APIRouter:
    """Return the routes of the pages.

    Parameters
    ----------
    feed
        The live page's news.
    door
        Who may see it.
    desk
        What the pages of stations show and tell.
    grid_desk, upload_desk
        What the page of the network shows, and takes.
    """
    router = APIRouter(include_in_schema=False)
    _add_static(router)
    add_stations(router, door, desk)
    add_grid(router, door, grid_desk)
    add_uploads(router, door, upload_desk)
    _add_door(router, door)

    @router.get("/")
    async def live(request: Request) -> Response:
        if not door.admits(request):
            return RedirectResponse("/enter", status_code=HTTPStatus.SEE_OTHER)
        return pages["live.html"].respond(request)

    @router.get("/live/events")
    async def events(request: Request) -> Response:
        if not door.admits(request):
            raise ApiError(HTTPStatus.FORBIDDEN, "open / and show the operator token first")
        stream = feed.view()
        try:
            first = await anext(stream)
        except TooManyViewersError as error:
            detail = "too many pages are open: close some, or try again later"
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "30"}) from error
        return StreamingResponse(
            _resume(first, stream), media_type="text/event-stream", headers=_STREAM_HEADERS
        )

    pages = load_assets("csms.web", "static", {"live.html"})
    return router


async def _resume(first: bytes, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for message in stream:
            yield message
    finally:
        await stream.aclose()


def _add_static(router: APIRouter) -> None:
    pages = load_assets("csms.web", "static")
    docs = pages.pop("docs.html")
    files = {name: asset for name, asset in pages.items() if not name.endswith(".html")}
    files |= load_assets("fastapi_offline", "static", _SWAGGER)

    @router.get("/static/{name}")
    async def static(request: Request, name: str) -> Response:
        if name not in files:
            raise ApiError(HTTPStatus.NOT_FOUND, "no such file")
        return files[name].respond(request)

    @router.get("/docs")
    async def describe(request: Request) -> Response:
        return docs.respond(request, _DOCS_HEADERS)


def _add_door(router: APIRouter, door: PageDoor) -> None:
    pages = load_assets("csms.web", "static", {"enter.html", "refused.html"})

    @router.get("/enter")
    async def ask(request: Request) -> Response:
        return pages["enter.html"].respond(request)

    @router.post("/enter")
    async def enter(request: Request) -> Response:
        response = await door.enter(request)
        if response is not None:
            return response
        refusal = pages["refused.html"]
        return Response(refusal.body, status_code=HTTPStatus.FORBIDDEN, media_type=refusal.media_type)
