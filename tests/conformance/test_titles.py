"""Every title of upstream's that concerns Services or DNS is carried by a test, or left out for a reason."""

from __future__ import annotations

import test_dns
import test_service_endpoints
import test_services
from titles import DNS_TITLES, SERVICE_TITLES, carried, reason_left_out

CARRYING = (test_dns, test_services, test_service_endpoints)
"""The modules whose import fills `carried`."""


def test_every_title_is_carried_or_left_out_with_a_reason() -> None:
    assert all(module.__doc__ for module in CARRYING)
    missing = [title for title in SERVICE_TITLES if title not in carried and reason_left_out(title) is None]
    assert missing == []
    assert [title for title in DNS_TITLES if title not in carried] == []
