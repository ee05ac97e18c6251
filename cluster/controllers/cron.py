"""Schedules in the five-field syntax of cron, as CronJob's `spec.schedule` has them (github.com/robfig/cron/v3).

Minute, hour, day of the month, month, day of the week; `*`, lists, ranges, steps, names, and @hourly and its like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_MONTHS = {name: number for number, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)}
_DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SEARCH_DAYS = 366 * 5
"""A schedule that meets no day in five years (31 February) never does (robfig/cron gives up there too)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    any_day: bool
    any_weekday: bool
    zone: tzinfo

    def after(self, moment: float) -> float | None:
        """The first time after a moment, both in seconds since the epoch; None: never."""
        start = datetime.fromtimestamp(moment, self.zone)
        for day in range(_SEARCH_DAYS):
            date = start.date() + timedelta(days=day)
            if date.month not in self.months or not self._has_day(date.day, date.isoweekday() % 7):
                continue
            # An hour back, since one hour of the day may come twice.
            for hour in sorted(hour for hour in self.hours if day or hour >= start.hour - 1):
                for minute in sorted(self.minutes):
                    local = datetime(date.year, date.month, date.day, hour, minute, tzinfo=self.zone)
                    if _exists(local) and local.timestamp() > moment:
                        return local.timestamp()
        return None

    def between(self, start: float, end: float) -> Iterator[float]:
        """All times after `start` up to and including `end`."""
        moment = self.after(start)
        while moment is not None and moment <= end:
            yield moment
            moment = self.after(moment)

    def _has_day(self, day: int, weekday: int) -> bool:
        """If both fields are restricted, one of them is enough (crontab(5))."""
        if self.any_day or self.any_weekday:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays


def parse(text: str, time_zone: str | None = None) -> Schedule:
    """`time_zone`: a name of the time zone database; UTC without one. Raises ValueError, which says what is wrong."""
    fields = _MACROS.get(text.strip(), text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"found {text!r}; must have five fields: minute, hour, day of month, month, day of week")
    try:
        zone = timezone.utc if time_zone is None else ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"found {time_zone!r}; must be the name of a time zone, such as Etc/UTC") from error
    names: tuple[Mapping[str, int], ...] = ({}, {}, {}, _MONTHS, _DAYS)
    sets = [
        _values(part, first, last, name, of)
        for part, (name, first, last), of in zip(fields, _FIELDS, names, strict=True)
    ]
    weekdays = frozenset(day % 7 for day in sets[4])
    stars = [part[0] in "*?" for part in fields]
    return Schedule(sets[0], sets[1], sets[2], sets[3], weekdays, stars[2], stars[4], zone)


def _values(text: str, first: int, last: int, name: str, names: Mapping[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = span.partition("-")
        if span in ("*", "?"):
            # Sunday is 0 and 7; a star means each day once.
            start, end = first, 6 if last == 7 else last
        else:
            start = _number(low, first, last, name, names)
            end = _number(high, first, last, name, names) if dash else (last if slash else start)
        every = _number(step, 1, last, name, {}) if slash else 1
        if start > end:
            raise ValueError(f"{name}: found {part!r}; the range must not go down")
        values.update(range(start, end + 1, every))
    return frozenset(values)


def _number(text: str, first: int, last: int, name: str, names: Mapping[str, int]) -> int:
    number = names.get(text.lower(), int(text) if text.isdecimal() else -1)
    if not first <= number <= last:
        raise ValueError(f"{name}: found {text!r}; must be between {first} and {last}")
    return number


def _exists(local: datetime) -> bool:
    """Not a time that the clocks skip in spring."""
    return datetime.fromtimestamp(local.timestamp(), local.tzinfo).replace(fold=0) == local.replace(fold=0)
