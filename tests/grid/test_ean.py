from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.ean import check_ean18, compute_ean_check_digit

digits17 = st.text("0123456789", min_size=17, max_size=17)


def test_a_published_example_of_gs1() -> None:
    # GS1's own example of an SSCC: 0037610425002123456(9) carries the digit of its 17 digits.
    assert compute_ean_check_digit("37610425002123456") == "9"
    assert compute_ean_check_digit("629104150021") == "3"  # an EAN-13


@given(digits17)
def test_only_one_last_digit_is_right(digits: str) -> None:
    accepted = []
    for last in "0123456789":
        try:
            accepted.append(check_ean18(digits + last)[-1])
        except ValueError:
            continue
    assert accepted == [compute_ean_check_digit(digits)]


@given(digits17, st.integers(0, 17), st.integers(1, 9))
def test_every_single_wrong_digit_is_noticed(digits: str, place: int, change: int) -> None:
    code = digits + compute_ean_check_digit(digits)
    wrong = code[:place] + str((int(code[place]) + change) % 10) + code[place + 1 :]
    with pytest.raises(ValueError, match=r"check digit of \d+ should be"):
        check_ean18(wrong)


@pytest.mark.parametrize(
    "code", ["", "87169460000001001", "8716946000000100170", "87169460000001001x", "\uff1871694600000010017"]
)
def test_what_is_no_ean_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="18 digits"):
        check_ean18(code)


def test_letters_have_no_check_digit() -> None:
    with pytest.raises(ValueError, match="digits"):
        compute_ean_check_digit("12a")
