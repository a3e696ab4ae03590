"""What the types accept: above all, the calendar."""

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.validation.types import is_date, is_datetime


def exists(text: str) -> bool:
    """Whether Python's calendar has this day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def test_every_day_of_four_centuries_is_a_date() -> None:
    day, wrong = date(1899, 12, 31), []
    while day < date(2300, 1, 1):
        wrong += [] if is_date(day.isoformat()) else [day]
        day += timedelta(days=1)
    assert wrong == []


@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
def test_a_date_is_one_exactly_where_the_calendar_has_it(year: int, month: int, day: int) -> None:
    text = f"{year:04}-{month:02}-{day:02}"
    assert is_date(text) == exists(text)


@given(st.datetimes(), st.sampled_from(["T", " ", "t"]), st.sampled_from(["", "Z", "+05:30", "-0800"]))
def test_a_moment_is_a_datetime_and_also_a_date(moment: datetime, separator: str, zone: str) -> None:
    text = moment.isoformat(sep=separator) + zone
    assert is_datetime(text)
    assert is_date(text)
    assert not is_datetime(text[:10])


@given(st.text(max_size=30))
def test_any_text_is_asked_without_an_exception(text: str) -> None:
    assert not is_datetime(text) or is_date(text)
