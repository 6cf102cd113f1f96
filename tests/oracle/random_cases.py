"""Random cases, dense where cron libraries disagree: changes of the clock, leap days, ends of months and years."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from functools import cache
from random import Random

from tests.oracle.robfig import Case

# Zones whose changes are unlike those of New York and Berlin.
PECULIAR = (
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # a day left out in 2011
    "Africa/Casablanca",  # back for Ramadan
    "Africa/Cairo",  # no midnight
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Amman",
    "Asia/Tehran",
    "Asia/Damascus",
    "America/Havana",  # midnight twice
    "America/Sao_Paulo",  # no midnight, west of Greenwich; dropped in 2019
    "America/Asuncion",
    "America/Santiago",
    "America/Mexico_City",
    "America/St_Johns",  # at one minute past midnight, until 2011
    "America/Scoresbysund",
    "America/Nuuk",
    "America/Caracas",
    "Antarctica/Troll",  # two hours
    "Antarctica/Casey",
    "Asia/Pyongyang",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Europe/Dublin",  # negative summer time
    "Europe/Istanbul",
    "Europe/Volgograd",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
)
FAMILIAR = ("America/New_York", "Europe/Berlin", "Europe/London", "UTC", "Asia/Kolkata", "Asia/Tokyo")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 6, _WEEKDAYS))
_DESCRIPTORS = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@every"]
_UNITS = ("h", "m", "s", "ms", "us", "µs", "ns")
_DAY = 86_400


def random_case(random: Random) -> Case:
    """Return a case whose expression is mostly, but not always, one that Kubernetes accepts."""
    zone = random_zone(random)
    return Case(random_expression(random), zone, random_instant(random, zone))


def random_zone(random: Random) -> str:
    kind = random.random()
    if kind < 0.45:
        return random.choice(PECULIAR)
    if kind < 0.7:
        return random.choice(FAMILIAR)
    return random.choice(_all_zones())


@cache
def _all_zones() -> tuple[str, ...]:
    return tuple(sorted(zoneinfo.available_timezones() - {"localtime"}))


def random_expression(random: Random) -> str:
    if random.random() < 0.03:
        return _random_descriptor(random)
    fields = [_random_field(random, *field) for field in _FIELDS]
    if random.random() < 0.4:
        # Few ticks an hour and few hours: these are the schedules that people write, and that changes of clock hit.
        fields[0] = random.choice(("0", "30", "*/15", str(random.randrange(60))))
        fields[1] = random.choice(("*", "0", "1", "2", "3", "1-3", "*/2", "23", str(random.randrange(24))))
    if random.random() < 0.3:
        fields[3] = "*"
    expression = random.choice((" ", " ", " ", "  ", "\t")).join(fields)
    return _mutated(random, expression) if random.random() < 0.06 else expression


def _random_descriptor(random: Random) -> str:
    descriptor = random.choice(_DESCRIPTORS)
    if descriptor != "@every":
        return descriptor
    parts = random.randint(1, 3)
    sign = random.choice(("", "", "", "-", "+"))
    number = random.choice(("{}", "{}", "{}.5", ".{}", "{}."))
    return f"@every {sign}" + "".join(
        number.format(random.randrange(500)) + random.choice(_UNITS) for _ in range(parts)
    )


def _random_field(random: Random, low: int, high: int, names: tuple[str, ...] | list[str]) -> str:
    kind = random.random()
    if kind < 0.3:
        return "*"
    if kind < 0.33:
        return "?"
    if kind < 0.45:
        return f"{random.choice('**?')}/{random.randint(1, high)}"
    return ",".join(_random_range(random, low, high, names) for _ in range(random.choice((1, 1, 1, 1, 2, 3))))


def _random_range(random: Random, low: int, high: int, names: tuple[str, ...] | list[str]) -> str:
    first = random.randint(low, high)
    last = random.randint(first, high)

    def written(number: int) -> str:
        if names and random.random() < 0.3:
            name = names[number - low]
            return random.choice((name, name.upper(), name.title()))
        return random.choice((str(number), str(number), f"{number:02}"))

    step = f"/{random.randint(1, high - low + 1)}"
    return random.choice(
        (
            written(first),
            written(first),
            f"{written(first)}-{written(last)}",
            f"{written(first)}-{written(last)}{step}",
            f"{written(first)}{step}",
        )
    )


def _mutated(random: Random, expression: str) -> str:
    at = random.randrange(len(expression))
    character = random.choice("*?-,/+0123456789LW#H@ \t\u00a0\u2003\u001cTZ=aijsurx.") if random.random() < 0.8 else ""
    return expression[:at] + character + expression[at + random.randrange(2) :]


def random_instant(random: Random, zone: str) -> int:
    """Return UTC seconds, half of the time close to a change of the zone's clock."""
    kind = random.random()
    changes = _changes(zone)
    if kind < 0.55 and changes:
        reach = random.choice((3_600, 7_200, _DAY, 3 * _DAY, 40 * _DAY))
        return random.choice(changes) + random.randint(-reach, reach)
    if kind < 0.85:
        year = random.randint(1973, 2095)
        month, day = random.choice(((1, 1), (2, 28), (3, 1), (12, 31), (random.randint(1, 12), random.choice((1, 28)))))
        return int(datetime(year, month, day, tzinfo=UTC).timestamp()) + random.randint(-2 * _DAY, 2 * _DAY)
    return random.randint(0, 4_000_000_000)


@cache
def _changes(zone: str) -> tuple[int, ...]:
    """Return the instants between 1970 and 2045 at which the zone's offset changes, to the second.

    A change by a whole day is left out: the library never returns from a walk over a date that does not exist, and
    few cases should spend time on finding that out again.
    """
    info = zoneinfo.ZoneInfo(zone)
    found = []
    for earlier in range(0, 2_366_841_600, 6 * _DAY):
        low, high = earlier, earlier + 6 * _DAY
        before, after = _offset(info, low), _offset(info, high)
        if before == after or abs(before - after) > _DAY - 7_200:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(info, middle) == before else (low, middle)
        found.append(high)
    return tuple(found)


def _offset(info: zoneinfo.ZoneInfo, instant: int) -> int:
    shift = datetime.fromtimestamp(instant, info).utcoffset()
    assert shift is not None
    return int(shift.total_seconds())
