"""Bookings of shared cars."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from csms.api.context import PREFIX, ApiContext
from csms.api.documents import BookingDocument
from csms.api.refusals import told_refusals
from csms.api.wishes import BookingBody

BookingId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._~:-]+$")]


def build_bookings(context: ApiContext) -> APIRouter:
    """Return the routes of bookings."""
    router = APIRouter(tags=["bookings"])

    @router.get("/bookings")
    async def list_bookings() -> list[BookingDocument]:
        """List the bookings that still count, the next one first."""
        bookings = context.service.state.bookings.values()
        return [
            BookingDocument.of(each) for each in sorted(bookings, key=lambda one: (one.start, one.booking_id))
        ]

    @router.put("/bookings/{booking_id}", responses={409: {}, 422: {}})
    async def book(booking_id: BookingId, body: BookingBody) -> BookingDocument:
        """Book a car, or change a booking: the same id again replaces it."""
        with told_refusals("booking", booking_id, f"{PREFIX}/bookings"):
            return BookingDocument.of(await context.service.book(booking_id, body.booking()))

    return router
