"""Every title of upstream's that concerns Services, DNS or NetworkPolicies is carried by a test, or left out for a reason."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import test_dns
import test_netpol
import test_netpol_api
import test_service_endpoints
import test_services
from titles import DNS_TITLES, POLICY_TITLES, SERVICE_TITLES, carried, reason_left_out

CARRYING = (test_dns, test_services, test_service_endpoints, test_netpol, test_netpol_api)
"""The modules whose import fills `carried`."""


@pytest.mark.parametrize("titles", [SERVICE_TITLES, POLICY_TITLES], ids=["services", "policies"])
def test_every_title_is_carried_or_left_out_with_a_reason(titles: Sequence[str]) -> None:
    assert all(module.__doc__ for module in CARRYING)
    missing = [title for title in titles if title not in carried and reason_left_out(title) is None]
    assert missing == []


def test_every_title_of_dns_is_carried() -> None:
    assert [title for title in DNS_TITLES if title not in carried] == []


def test_of_the_titles_of_policies_only_those_that_connect_by_sctp_are_left_out() -> None:
    left_out = {title for title in POLICY_TITLES if title not in carried}
    assert left_out <= {title for title in POLICY_TITLES if "[Feature:SCTPConnectivity]" in title}
