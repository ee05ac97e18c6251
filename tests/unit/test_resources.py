"""The table of resources."""

from __future__ import annotations

import pytest

from cluster import resources

NAMED_KINDS = (
    *("Namespace", "Node", "Pod", "Service", "Endpoints", "EndpointSlice", "ReplicaSet", "ReplicationController"),
    *("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "NetworkPolicy", "Ingress", "IngressClass", "Event"),
    *("ConfigMap", "Secret", "ServiceAccount", "PodDisruptionBudget", "Lease"),
)


@pytest.mark.parametrize("kind", NAMED_KINDS)
def test_every_kind_that_has_an_effect_can_be_stored(kind: str) -> None:
    resource = resources.stored(kind)
    # A namespace takes everything in it along: there is no deletecollection for them.
    assert set(resources.VERBS) - set(resource.verbs) == ({"deletecollection"} if kind == "Namespace" else set())
    assert resources.find(resource.group, resource.version, resource.plural) is resource
    assert resources.of_kind(resource.api_version, kind) is resource


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("", "v1", "pods"), "Pod"),
        (("", "v1", "endpoints"), "Endpoints"),
        (("apps", "v1", "deployments"), "Deployment"),
        (("networking.k8s.io", "v1", "networkpolicies"), "NetworkPolicy"),
        (("networking.k8s.io", "v1", "ingresses"), "Ingress"),
        (("networking.k8s.io", "v1", "ingressclasses"), "IngressClass"),
        (("networking.k8s.io", "v1", "ipaddresses"), "IPAddress"),
        (("events.k8s.io", "v1", "events"), "Event"),
        (("rbac.authorization.k8s.io", "v1", "clusterroles"), "ClusterRole"),
        (("", "v1", "componentstatuses"), "ComponentStatus"),
    ],
)
def test_a_path_names_its_kind(path: tuple[str, str, str], kind: str) -> None:
    found = resources.find(*path)
    assert found is not None
    assert found.kind == kind


def test_a_kind_served_in_several_versions_is_stored_in_one() -> None:
    assert [resources.stored(kind).api_version for kind in ("Event", "HorizontalPodAutoscaler")] == ["v1", "autoscaling/v2"]
    served = {one.api_version for one in resources.resources() if one.kind == "Event"}
    assert served == {"v1", "events.k8s.io/v1"}


def test_all_means_what_it_means_to_kubectl() -> None:
    kinds = {one.kind for one in resources.resources() if "all" in one.categories}
    assert kinds == {
        *("Pod", "Service", "ReplicationController", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
        *("HorizontalPodAutoscaler", "CronJob", "Job"),
    }


def test_short_names_belong_to_kinds_that_are_served_and_are_unique() -> None:
    assert set(resources.SHORT_NAMES) <= {one.kind for one in resources.resources()}
    names = [name for found in resources.SHORT_NAMES.values() for name in found]
    assert len(set(names)) == len(names)


def test_pods_have_the_subresources_of_kubernetes() -> None:
    pods = resources.find("", "v1", "pods")
    assert pods is not None
    assert [one.name for one in pods.subresources] == [
        "attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "resize", "status",
    ]  # fmt: skip
    eviction = pods.subresource("eviction")
    assert eviction is not None
    assert (eviction.group, eviction.version) == ("policy", "v1")


def test_requests_in_the_form_of_objects_can_only_be_created() -> None:
    review = resources.find("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
    assert review is not None
    assert review.verbs == ("create",)
    assert not review.is_stored
    assert not review.namespaced


def test_the_preferred_version_of_a_group_is_the_most_stable_and_newest() -> None:
    assert list(resources.groups()["autoscaling"]) == ["v2", "v1"]
    assert resources.groups()["resource.k8s.io"][0] == "v1"
    assert next(iter(resources.groups())) == ""


def test_versions_sort_as_kubernetes_sorts_them() -> None:
    versions = ["v1alpha1", "v1", "v2beta1", "v2", "v1beta2", "v1beta10"]
    assert sorted(versions, key=resources.version_priority) == ["v2", "v1", "v2beta1", "v1beta10", "v1beta2", "v1alpha1"]
