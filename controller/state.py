"""API objects -> what the pipeline needs to know of them. Kept up batch by batch, in place: to copy what 5,000 pods are
for each that changes would cost as much as the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from cluster.model import Cluster, IPAddress, IPNetwork, PodInterface
from cluster.objects import Object, labels, name, namespace, pod_interface
from cluster.well_known import HEADLESS, HEADLESS_LABEL, SERVICE_NAME_LABEL
from controller.policy_groups import PodIdentity
from controller.policy_model import NetworkPolicy, network_policy

PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
"""On a Service that another proxy is to realise."""
TOPOLOGY_MODE_ANNOTATION = "service.kubernetes.io/topology-mode"
DEFAULT_AFFINITY_TIMEOUT_S = 10800
"""ClientIPConfig: "Default value is 10800(for 3 hours)"."""

ObjectKey = tuple[str, str]
"""(kind, "namespace/name"): what is compiled, and kept, together."""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """`name` is "" where a Service has one unnamed port; `service_port` is what clients connect to, `node_port` what
    they connect to at a node's address."""

    name: str
    protocol: str
    service_port: int
    node_port: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """`affinity_timeout_s` None: every connection is balanced by itself. `external_ips`: addresses outside of the
    service range; `only_from`: who may use a load balancer's, None = everybody."""

    key: str
    cluster_ips: tuple[IPAddress, ...]
    ports: tuple[ServicePort, ...]
    affinity_timeout_s: int | None = None
    internal_traffic_is_local: bool = False
    external_traffic_is_local: bool = False
    external_ips: tuple[IPAddress, ...] = ()
    load_balancer_ips: tuple[IPAddress, ...] = ()
    only_from: tuple[IPNetwork, ...] | None = None
    uses_hints: bool = False

    @property
    def exposed_addresses(self) -> tuple[IPAddress, ...]:
        return tuple(dict.fromkeys((*self.load_balancer_ips, *self.external_ips)))


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of a pod that its node's addresses have, too; `host_ip` None: all of them."""

    protocol: str
    host_port: int
    container_port: int
    host_ip: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class SlicePort:
    """A port that all endpoints of a slice serve: `target_port` is the number in the pod."""

    name: str
    protocol: str
    target_port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One entry of a slice. `zone_hints` and `node_hints`: for whose clients it is meant; none = for everybody's."""

    address: IPAddress
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str | None = None
    zone_hints: frozenset[str] = frozenset()
    node_hints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    key: str
    service: str
    ip_version: int
    ports: tuple[SlicePort, ...]
    endpoints: tuple[Endpoint, ...]


@dataclass(slots=True)
class NetworkState:
    """Everything that decides about flows. Services by "namespace/name"; `endpoint_slices` by their Service's.

    Only `apply` changes it.
    """

    cluster: Cluster
    pods: dict[str, PodInterface] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    exposed: dict[IPAddress, frozenset[str]] = field(default_factory=dict)
    """The Services at each external address."""
    endpoint_slices: dict[str, Mapping[str, EndpointSlice]] = field(default_factory=dict)
    slice_owners: dict[str, str] = field(default_factory=dict)
    """The Service of each slice."""
    identities: dict[str, PodIdentity] = field(default_factory=dict)
    """What policies know of the pods."""
    host_ports: dict[str, tuple[HostPort, ...]] = field(default_factory=dict)
    """Those of the pods that have some."""
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels of each Namespace."""
    policies: dict[str, NetworkPolicy] = field(default_factory=dict)

    @property
    def ip_versions(self) -> tuple[int, ...]:
        return tuple(subnet.version for subnet in self.cluster.pod_subnets)


def object_key(obj: Mapping[str, Any]) -> str:
    """ "namespace/name"; the name alone where there is no namespace to a kind."""
    return f"{namespace(obj)}/{name(obj)}" if namespace(obj) else name(obj)


def service(obj: Mapping[str, Any]) -> Service | None:
    """A Service as the pipeline sees it; None for those without an address (headless, ExternalName, not allocated),
    and for those that are somebody else's to realise (labels that kube-proxy heeds, too).
    """
    spec = obj.get("spec", {})
    cluster_ips = spec.get("clusterIPs") or [spec.get("clusterIP")]
    if spec.get("type") == "ExternalName" or not cluster_ips[0] or cluster_ips[0] == HEADLESS:
        return None
    if labels(obj).keys() & {PROXY_NAME_LABEL, HEADLESS_LABEL}:
        return None
    ports = (
        ServicePort(port.get("name") or "", port.get("protocol", "TCP"), int(port["port"]), port.get("nodePort"))
        for port in spec.get("ports") or ()
    )
    topology_mode = (obj["metadata"].get("annotations") or {}).get(TOPOLOGY_MODE_ANNOTATION, "")
    return Service(
        object_key(obj),
        tuple(map(ip_address, cluster_ips)),
        tuple(ports),
        affinity_timeout_s=_affinity_timeout_s(spec),
        internal_traffic_is_local=spec.get("internalTrafficPolicy") == "Local",
        external_traffic_is_local=spec.get("externalTrafficPolicy") == "Local",
        external_ips=tuple(map(ip_address, spec.get("externalIPs") or ())),
        load_balancer_ips=_load_balancer_ips(obj),
        only_from=_only_from(spec),
        uses_hints=bool(spec.get("trafficDistribution")) or topology_mode.lower() == "auto",
    )


def _load_balancer_ips(obj: Mapping[str, Any]) -> tuple[IPAddress, ...]:
    """"VIP": "traffic is delivered to the node with the destination set to the load-balancer's IP and port"; "Proxy":
    with that of the node or pod (LoadBalancerIngress.ipMode), so it is nothing that a node has to know."""
    if obj["spec"].get("type") != "LoadBalancer":
        return ()
    ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return tuple(ip_address(each["ip"]) for each in ingress if each.get("ip") and each.get("ipMode", "VIP") == "VIP")


def _only_from(spec: Mapping[str, Any]) -> tuple[IPNetwork, ...] | None:
    ranges = spec.get("loadBalancerSourceRanges")
    return tuple(ip_network(each.strip(), strict=False) for each in ranges) if ranges else None


def _affinity_timeout_s(spec: Mapping[str, Any]) -> int | None:
    if spec.get("sessionAffinity") != "ClientIP":
        return None
    client_ip = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(client_ip.get("timeoutSeconds") or DEFAULT_AFFINITY_TIMEOUT_S)


def endpoint_slice(obj: Mapping[str, Any]) -> EndpointSlice | None:
    """An EndpointSlice as the pipeline sees it; None when it is no Service's or carries names instead of addresses."""
    service_name = labels(obj).get(SERVICE_NAME_LABEL)
    if service_name is None or obj.get("addressType") == "FQDN":
        return None
    ports = (
        SlicePort(port.get("name") or "", port.get("protocol") or "TCP", int(port["port"]))
        for port in obj.get("ports") or ()
        if port.get("port") is not None
    )
    return EndpointSlice(
        key=object_key(obj),
        service=f"{namespace(obj)}/{service_name}",
        ip_version=6 if obj.get("addressType") == "IPv6" else 4,
        ports=tuple(ports),
        endpoints=tuple(map(_endpoint, obj.get("endpoints") or ())),
    )


def _endpoint(entry: Mapping[str, Any]) -> Endpoint:
    """discovery.k8s.io/v1: "a nil value [of ready] should be interpreted as true"; "a nil value [of serving] … defer to
    the ready condition"; "[terminating:] nil … should be interpreted as false"; "consumers should use only the first
    element" of addresses.
    """
    conditions, hints = entry.get("conditions") or {}, entry.get("hints") or {}
    ready = conditions.get("ready") is not False
    serving = conditions.get("serving")
    return Endpoint(
        ip_address(entry["addresses"][0]),
        ready=ready,
        serving=ready if serving is None else bool(serving),
        terminating=bool(conditions.get("terminating")),
        node=entry.get("nodeName"),
        zone_hints=frozenset(hint["name"] for hint in hints.get("forZones") or ()),
        node_hints=frozenset(hint["name"] for hint in hints.get("forNodes") or ()),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One object was set (`obj`) or is gone (None)."""

    kind: str
    key: str
    obj: Object | None


def apply(state: NetworkState, changes: Iterable[Change]) -> frozenset[ObjectKey]:
    """Take in these changes of all kinds but Cluster; what has to be compiled again."""
    changed: set[ObjectKey] = set()
    for change in changes:
        match change.kind:
            case "Pod":
                changed |= {("Pod", key) for key in _put_pod(state, change.key, change.obj)}
            case "Service":
                before, made = state.services.get(change.key), service(change.obj) if change.obj else None
                if _put(state.services, change.key, made):
                    also = _expose(state.exposed, change.key, before, made)
                    changed |= {("Service", key) for key in (change.key, *also)}
            case "EndpointSlice":
                found = endpoint_slice(change.obj) if change.obj else None
                changed |= {("Service", key) for key in _put_slice(state, change.key, found)}
            case "Namespace":
                its_labels = labels(change.obj) if change.obj else None
                changed |= {("Namespace", key) for key in _put(state.namespaces, change.key, its_labels)}
            case "NetworkPolicy":
                policy = network_policy(change.obj) if change.obj else None
                changed |= {("NetworkPolicy", key) for key in _put(state.policies, change.key, policy)}
    return frozenset(changed)


def state_of(cluster: Cluster, *objects: Object) -> NetworkState:
    """What these objects are to the pipeline. A Cluster among them says nothing: it is `cluster`."""
    state = NetworkState(cluster)
    apply(state, (Change(obj["kind"], object_key(obj), obj) for obj in objects))
    return state


def _put_pod(state: NetworkState, key: str, obj: Object | None) -> tuple[str, ...]:
    """Set or remove a pod; the pods to be compiled again."""
    pod = pod_interface(obj, state.cluster) if obj else None
    identity = pod_identity(obj) if obj and pod else None
    opened = (host_ports(obj) or None) if obj and pod else None
    # One of the others may have, or have lost, a port that was this one's.
    others = tuple(state.host_ports) if opened or key in state.host_ports else ()
    changed = (
        *_put(state.pods, key, pod), *_put(state.identities, key, identity), *_put(state.host_ports, key, opened),
    )  # fmt: skip
    return (*changed, *others)


def _expose(exposed: dict[IPAddress, frozenset[str]], key: str, before: Service | None, now: Service | None) -> set[str]:
    """Note at which external addresses a changed Service is; other Services that are there, too."""
    concerned: set[str] = set()
    for address in before.exposed_addresses if before else ():
        exposed[address] -= {key}
        concerned |= exposed[address]
    for address in now.exposed_addresses if now else ():
        concerned |= exposed.get(address, frozenset())
        exposed[address] = exposed.get(address, frozenset()) | {key}
    return concerned - {key}


def host_ports(pod: Mapping[str, Any]) -> tuple[HostPort, ...]:
    """"hostIP: What host IP to bind the external port to": 0.0.0.0 and :: are all."""
    found = []
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                bound = ip_address(port.get("hostIP") or "0.0.0.0")
                numbers = int(port["hostPort"]), int(port["containerPort"])
                host_ip = None if bound.is_unspecified else bound
                found.append(HostPort(port.get("protocol") or "TCP", *numbers, host_ip))
    return tuple(dict.fromkeys(found))


def pod_identity(pod: Mapping[str, Any]) -> PodIdentity:
    named_ports = {
        (port.get("protocol") or "TCP", port["name"]): int(port["containerPort"])
        for container in reversed(pod["spec"].get("containers") or ())
        for port in reversed(container.get("ports") or ())
        if port.get("name")
    }
    return PodIdentity(labels(pod), named_ports)


def _put(where: dict[str, Any], key: str, value: object | None) -> tuple[str, ...]:
    """Set or remove; the keys that are different now."""
    if where.get(key) == value:
        return ()
    if value is None:
        del where[key]
    else:
        where[key] = value
    return (key,)


def _put_slice(state: NetworkState, key: str, made: EndpointSlice | None) -> tuple[str, ...]:
    """Set or remove a slice; the Services that have other slices now (two when its label was changed)."""
    slices, owners = state.endpoint_slices, state.slice_owners
    concerned = dict.fromkeys(filter(None, (owners.get(key), made.service if made else None)))
    changed = []
    for owner in concerned:
        own = dict(slices.get(owner, {}))
        if _put(own, key, made if made and made.service == owner else None):
            slices[owner] = own
            changed.append(owner)
    _put(owners, key, made.service if made else None)
    return tuple(changed)
