"""Cron schedules."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from cluster.controllers.cron import parse


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def following(schedule: str, start: str, zone: str | None = None) -> str | None:
    moment = parse(schedule, zone).after(at(start))
    return None if moment is None else datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("schedule", "start", "expected"),
    [
        ("* * * * *", "2024-01-01 00:00:30", "2024-01-01 00:01"),
        ("*/15 * * * *", "2024-01-01 00:15:00", "2024-01-01 00:30"),
        ("5,35 9-17/4 * * *", "2024-01-01 09:35:00", "2024-01-01 13:05"),
        ("0 0 29 2 *", "2024-03-01 00:00:00", "2028-02-29 00:00"),
        ("0 0 31 2 *", "2024-01-01 00:00:00", None),
        ("30 6 * * mon-fri", "2024-01-05 07:00:00", "2024-01-08 06:30"),
        ("0 12 * * 7", "2024-01-01 00:00:00", "2024-01-07 12:00"),
        ("0 0 13 * fri", "2024-09-01 00:00:00", "2024-09-06 00:00"),
        ("0 0 1 jan,jul *", "2024-02-01 00:00:00", "2024-07-01 00:00"),
        ("@hourly", "2024-01-01 00:59:59", "2024-01-01 01:00"),
        ("@weekly", "2024-01-01 00:00:00", "2024-01-07 00:00"),
    ],
)
def test_the_next_time_of_a_schedule(schedule: str, start: str, expected: str | None) -> None:
    assert following(schedule, start) == expected


def test_a_schedule_is_in_its_time_zone() -> None:
    assert following("0 9 * * *", "2024-07-01 00:00:00", "Europe/Berlin") == "2024-07-01 07:00"
    assert following("0 9 * * *", "2024-12-01 00:00:00", "Europe/Berlin") == "2024-12-01 08:00"


def test_a_time_that_the_clocks_skip_does_not_come() -> None:
    # 31 March 2024, 02:00 -> 03:00 in Berlin.
    assert following("30 2 * * *", "2024-03-30 12:00:00", "Europe/Berlin") == "2024-04-01 00:30"


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("* * * *", "must have five fields"),
        ("60 * * * *", "minute: found '60'; must be between 0 and 59"),
        ("* * * * xyz", "day of week: found 'xyz'"),
        ("5-1 * * * *", "must not go down"),
        ("*/0 * * * *", "must be between 1"),
    ],
)
def test_wrong_schedules_are_refused(schedule: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(schedule)


def test_a_time_zone_must_exist() -> None:
    with pytest.raises(ValueError, match="must be the name of a time zone"):
        parse("* * * * *", "Mars/Olympus")
