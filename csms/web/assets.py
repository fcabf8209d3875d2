"""Files that pages are made of, read once: no request reaches the file system."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Parameters
    ----------
    body, media_type
        What is sent.
    tag
        Changes with the content, so that browsers keep what they have.
    """

    body: bytes
    media_type: str
    tag: str

    def respond(self, request: Request, headers: Mapping[str, str] | None = None) -> Response:
        """Answer a request: with nothing when the browser has it already."""
        headers = {"ETag": self.tag, "Cache-Control": "no-cache", **(headers or {})}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


def load_assets(package: str, folder: str, names: set[str] | None = None) -> dict[str, Asset]:
    """Read the files of a package's folder.

    Parameters
    ----------
    package, folder
        Where they are.
    names
        Only these; None for all of a kind that browsers read.
    """
    found = {}
    for entry in files(package).joinpath(folder).iterdir():
        media_type = _MEDIA_TYPES.get(entry.name[entry.name.rfind(".") :])
        if media_type is None or (names is not None and entry.name not in names):
            continue
        body = entry.read_bytes()
        found[entry.name] = Asset(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
    return found
