"""EAN-18: the eighteen digits that name a Dutch grid connection."""

from __future__ import annotations

EAN18_LENGTH = 18


def compute_ean_check_digit(digits: str) -> str:
    """Compute the last digit of a GS1 number.

    Parameters
    ----------
    digits
        All digits but the last.

    Returns
    -------
    str
        The digit that makes the sum, weighted 3, 1, 3, ... from the right, a multiple of ten (GS1 General
        Specifications, section 7.9).

    Raises
    ------
    ValueError
        When there is anything but digits.
    """
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{digits!r} must consist of digits")
    total = sum(int(digit) * (1 if index % 2 else 3) for index, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def check_ean18(code: str) -> str:
    """Return a connection's EAN unchanged when it is one.

    Raises
    ------
    ValueError
        When it has not 18 digits or the check digit is wrong; the message says what it should be.
    """
    if len(code) != EAN18_LENGTH or not (code.isascii() and code.isdigit()):
        raise ValueError(f"an EAN code of a connection has {EAN18_LENGTH} digits, not {code!r}")
    expected = compute_ean_check_digit(code[:-1])
    if code[-1] != expected:
        raise ValueError(f"the check digit of {code} should be {expected}: correct the number")
    return code
