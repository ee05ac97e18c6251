"""Published applications start unchanged: every pod Ready, and they talk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from manifests import cluster
from testbeds import ROOT, Testbed, started

MANIFESTS = ROOT.parent / "shared" / "manifests"
APPLICATIONS = {
    "guestbook": ("guestbook/guestbook-all-in-one.yaml", {"frontend": 3, "redis-master": 1, "redis-replica": 2}),
    "online-boutique": (
        "online-boutique/kubernetes-manifests.yaml",
        dict.fromkeys(
            (
                "adservice", "cartservice", "checkoutservice", "currencyservice", "emailservice", "frontend",
                "loadgenerator", "paymentservice", "productcatalogservice", "recommendationservice", "redis-cart",
                "shippingservice",
            ),
            1,
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=APPLICATIONS)
def application(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def testbed(application: str) -> Iterator[Testbed]:
    path = MANIFESTS / APPLICATIONS[application][0]
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with started(cluster(), files=[path], timeout_s=120) as running:
        yield running


def test_every_pod_is_ready(testbed: Testbed) -> None:
    unready = [pod for pod in testbed.pods().values() if not pod.ready]
    assert unready == []


def test_every_replica_is_there(testbed: Testbed, application: str) -> None:
    expected = APPLICATIONS[application][1]
    found = dict.fromkeys(expected, 0)
    for name in testbed.pods():
        owner = max((each for each in expected if name.startswith(f"{each}-")), key=len, default=name)
        found[owner] = found.get(owner, 0) + 1
    assert found == expected


def test_no_container_was_restarted(testbed: Testbed) -> None:
    _, pods = testbed.client.objects(["Pod"])
    restarted = {
        pod["metadata"]["name"]: status["restartCount"]
        for pod in pods
        for status in pod["status"]["containerStatuses"]
        if status["restartCount"]
    }
    assert restarted == {}


def test_everybody_reaches_everybody(testbed: Testbed) -> None:
    done = testbed.mininetes("matrix", "--expect-full", "--timeout", "5")
    assert done.status == 0, str(done)


def test_the_frontend_service_answers_by_its_name(testbed: Testbed) -> None:
    asking = next(name for name in testbed.pods() if not name.startswith("frontend"))
    done = testbed.exec(asking, "curl", "-sS", "--max-time", "20", "http://frontend/")
    assert "frontend-" in done.output, str(done)
