"""The cluster document (kind's or ours) -> model.Cluster, the same in every process.

`check` tells everything that is wrong with a document, `resolve` makes the cluster of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import ip_network
from typing import Any

from cluster.model import MAX_GENEVE_NODES, Client, Cluster, Edge, IPFamily, Network, Node, Role
from cluster.problems import Problem, SpecError
from cluster.reading import addressing, port_mappings, underlay
from cluster.reading.config_fields import (
    API_VERSION,
    KIND_API_VERSION,
    MAX_MTU_BYTES,
    MIN_MTU_BYTES,
    OWN_FIELDS,
    SCHEMAS,
)
from cluster.reading.documents import Document
from cluster.reading.findings import Finding, Path, found, suggestion
from cluster.reading.jsonschema_findings import Validator
from cluster.reading.port_mappings import MAX_PORT
from cluster.reading.schema import without, without_nulls
from cluster.reading.syntax import CIDR_RULE, DNS_LABEL_RULE, is_cidr, is_dns_label, is_ip, label_findings
from cluster.reading.underlay_findings import graph_findings, option_findings, shape_findings
from cluster.well_known import CONTROL_PLANE, ZONE_LABEL

DEFAULT_NAME = "mininetes"
DEFAULT_NODES: list[dict[str, Any]] = [{"role": "control-plane"}, {"role": "worker"}, {"role": "worker"}]
DEFAULT_KIND_NODES: list[dict[str, Any]] = [{"role": "control-plane"}]
"""kind's own default: a single node."""
DEFAULT_DOCUMENT: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "Cluster", "nodes": DEFAULT_NODES}
"""What a spec without a cluster document gets."""

DEFAULT_API_SERVER_ADDRESS = "127.0.0.1"


def is_cluster(data: Mapping[str, Any]) -> bool:
    return data.get("kind") == "Cluster"


def check(document: Document) -> list[Problem]:
    """Everything that is wrong with a cluster document; empty when it can be resolved."""
    return [document.problem(finding) for finding in findings(document.data)]


def resolve(document: Mapping[str, Any]) -> Cluster:
    """The cluster that a document describes. Pure: same document, same cluster. Raises SpecError."""
    wrong = findings(document)
    if wrong:
        holder = Document("cluster document", 0, dict(document))
        raise SpecError([holder.problem(finding) for finding in wrong])
    data = without_nulls(dict(document), [])
    networking = data.get("networking", {})
    family = addressing.family(networking)
    pod_subnets = addressing.subnets(networking, "podSubnet")
    nodes = tuple(
        _node(entry, name, index, family, addressing.pod_cidrs(pod_subnets, index))
        for index, (_, entry, name) in enumerate(_named_nodes(data), start=1)
    )
    clients = tuple(
        Client(name, index, addressing.client_addresses(family, index))
        for index, (_, name) in enumerate(_named_clients(data), start=1)
    )
    network = underlay.build(
        data.get("underlay", {}),
        [node.name for node in nodes],
        [client.name for client in clients],
        addressing.underlay_subnets(family),
    )
    edge = Edge(network.switches[0], addressing.router_addresses(family)) if clients and network.switches else None
    mappings = port_mappings.port_mappings(_named_nodes(data), family)
    return Cluster(
        name=data.get("name", DEFAULT_NAME),
        nodes=nodes,
        network=_network(data.get("network", {}), family),
        underlay=network,
        clients=clients,
        edge=edge,
        pod_subnets=pod_subnets,
        service_subnets=addressing.subnets(networking, "serviceSubnet"),
        load_balancer_pools=addressing.pools(networking),
        api_server_address=networking.get("apiServerAddress", DEFAULT_API_SERVER_ADDRESS),
        api_server_port=max(networking.get("apiServerPort", 0), 0),
        port_mappings=tuple(mappings),
        node_grace_s=data.get("nodeFailure", {}).get("gracePeriodSeconds", Cluster.node_grace_s),
        toleration_s=data.get("nodeFailure", {}).get("tolerationSeconds", Cluster.toleration_s),
    )


def _node(entry: Mapping[str, Any], name: str, index: int, family: IPFamily, pod_cidrs: tuple[Any, ...]) -> Node:
    role, zone = _role(entry), entry.get("zone")
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    if role == "control-plane":
        labels[CONTROL_PLANE] = ""
    if zone is not None:
        labels[ZONE_LABEL] = zone
    labels.update(entry.get("labels", {}))
    addresses = addressing.node_addresses(family, index)
    return Node(name, role, index, addresses, pod_cidrs, labels, labels.get(ZONE_LABEL))


def _network(fields: Mapping[str, Any], family: IPFamily) -> Network:
    default = Network()
    return Network(
        mode=fields.get("mode", default.mode),
        encapsulation=fields.get("encapsulation", default.encapsulation),
        attachment=fields.get("attachment", default.attachment),
        datapath=fields.get("datapath", default.datapath),
        mtu_bytes=fields.get("mtu", default.mtu_bytes),
        ip_family=family,
        policy_reevaluation=fields.get("policyReevaluation", default.policy_reevaluation),
        masquerade_exempt=tuple(
            ip_network(text, strict=False) for text in fields.get("ipMasqExempt", ())
        ),
    )


def _role(entry: Mapping[str, Any]) -> Role:
    role: Role = entry.get("role", "control-plane")  # kind's default
    return role


def _named_nodes(data: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any], str]]:
    """(place in the document, entry, name) of every node, entries with `count` repeated.

    Names are kind's without its cluster prefix: control-plane, control-plane2, worker, worker2 …
    """
    default = DEFAULT_NODES if data.get("apiVersion") == API_VERSION else DEFAULT_KIND_NODES
    numbers: dict[str, int] = {}
    for place, entry in enumerate(data.get("nodes", default)):
        base = entry.get("name", _role(entry))
        for _ in range(entry.get("count", 1)):
            numbers[base] = 1 if "name" in entry and "count" not in entry else numbers.get(base, 0) + 1
            yield place, entry, base if numbers[base] == 1 else f"{base}{numbers[base]}"


def _named_clients(data: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    clients = data.get("externalClients", [])
    if isinstance(clients, int):
        for number in range(1, clients + 1):
            yield ("externalClients",), f"client{number}"
        return
    for index, entry in enumerate(clients):
        if "name" in entry:
            yield ("externalClients", index, "name"), entry["name"]


@cache
def _validator(api_version: str) -> Validator:
    return Validator(SCHEMAS[api_version])


def findings(document: Mapping[str, Any]) -> list[Finding]:
    """Wrong fields, and what is wrong with the right ones."""
    api_version = document.get("apiVersion")
    if not isinstance(api_version, str) or api_version not in SCHEMAS:
        hint = suggestion(str(api_version), SCHEMAS)
        rule = f"must be '{API_VERSION}' or kind's '{KIND_API_VERSION}'{hint}"
        return [Finding(("apiVersion",), found(api_version, rule))]
    wrong: list[Finding] = []
    data = without_nulls(dict(document), wrong)
    wrong += _validator(api_version).findings(data)
    if api_version == KIND_API_VERSION:
        wrong = [_belongs_to_ours(finding) for finding in wrong]
    right = without(data, [finding.path for finding in wrong])
    return list(dict.fromkeys([*wrong, *_meaning_findings(right, wrong)]))


def _belongs_to_ours(finding: Finding) -> Finding:
    """A field that kind does not have and our document has: say so rather than guess at a typing error."""
    name = finding.path[0]
    if len(finding.path) == 1 and name in OWN_FIELDS:
        return Finding(finding.path, f"unknown field '{name}' of kind; belongs to apiVersion {API_VERSION}")
    return finding


def _meaning_findings(data: Mapping[str, Any], wrong: list[Finding]) -> Iterator[Finding]:
    yield from _name_findings(data)
    yield from _node_findings(data)
    yield from port_mappings.findings(_named_nodes(data))
    yield from _mtu_findings(data)
    yield from _exempt_findings(data)
    yield from _encapsulation_findings(data)
    yield from _under(("networking",), _api_server_findings(data.get("networking", {})))
    nodes = [name for _, _, name in _named_nodes(data)]
    yield from _under(("networking",), addressing.findings(data.get("networking", {}), len(nodes)))
    fields = data.get("underlay", {})
    yield from _under(("underlay",), option_findings(fields))
    yield from _under(("underlay",), shape_findings(fields))
    clients = [name for _, name in _named_clients(data)]
    yield from _under(
        ("networking",), addressing.pool_findings(data.get("networking", {}), len(nodes), len(clients))
    )
    sound = not any(finding.path[0] in ("underlay", "nodes", "externalClients") for finding in wrong)
    if sound and len({*nodes, *clients}) == len(nodes) + len(clients):
        yield from _under(("underlay",), graph_findings(fields, nodes, clients))


def _under(prefix: Path, inner: Iterator[Finding]) -> Iterator[Finding]:
    for finding in inner:
        yield Finding((*prefix, *finding.path), finding.message)


def _name_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """The cluster's own name, and those of nodes and clients: DNS labels, each once."""
    if "name" in data and not is_dns_label(data["name"]):
        yield Finding(("name",), found(data["name"], DNS_LABEL_RULE))
    hosts: list[tuple[Path, str]] = []
    for place, entry, name in _named_nodes(data):
        hosts.append((("nodes", place, "name") if "name" in entry else ("nodes", place), name))
    hosts += _named_clients(data)
    nodes = [Node(name, _role(entry), index, (), ()) for index, (_, entry, name) in enumerate(_named_nodes(data), 1)]
    bridges = {node.bridge for node in nodes if node.bridge != node.name}
    first: dict[str, Path] = {}
    for path, name in hosts:
        if name in bridges:
            yield Finding(path, found(name, "the switch of a node with a long name has that name; must be another"))
        if not is_dns_label(name):
            yield Finding(path, found(name, DNS_LABEL_RULE))
        if name in first:
            yield Finding(path, found(name, "the name is taken; names of nodes and clients must be unique"))
        first.setdefault(name, path)


def _node_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    nodes = list(_named_nodes(data))
    if not nodes:
        yield Finding(("nodes",), "found 0 nodes; must have at least one with role control-plane")
    elif all(_role(entry) != "control-plane" for _, entry, _ in nodes):
        yield Finding(("nodes",), "found only workers; must have at least one node with role control-plane")
    for place, entry in enumerate(data.get("nodes", ())):
        yield from _under(("nodes", place, "labels"), label_findings(entry.get("labels", {})))
        if "zone" in entry:
            in_labels = label_findings({ZONE_LABEL: entry["zone"]})
            yield from (Finding(("nodes", place, "zone"), finding.message) for finding in in_labels)


def _mtu_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    mtu_bytes = data.get("network", {}).get("mtu")
    minimum = MIN_MTU_BYTES[addressing.family(data.get("networking", {}))]
    if mtu_bytes is not None and not minimum <= mtu_bytes <= MAX_MTU_BYTES:
        yield Finding(("network", "mtu"), found(mtu_bytes, f"must be between {minimum} and {MAX_MTU_BYTES} bytes"))


def _encapsulation_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    network = data.get("network", {})
    if network.get("encapsulation") is None:
        return
    if network.get("mode") == "direct":
        yield Finding(("network", "encapsulation"), found(network["encapsulation"], "has no place in mode direct; leave it out"))
    nodes = len(list(_named_nodes(data)))
    if network["encapsulation"] == "geneve" and nodes > MAX_GENEVE_NODES:
        rule = f"goes with at most {MAX_GENEVE_NODES} nodes, and here are {nodes}; use vxlan"
        yield Finding(("network", "encapsulation"), found("geneve", rule))


def _exempt_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    for index, text in enumerate(data.get("network", {}).get("ipMasqExempt", ())):
        if not is_cidr(text):
            yield Finding(("network", "ipMasqExempt", index), found(text, CIDR_RULE))


def _api_server_findings(networking: Mapping[str, Any]) -> Iterator[Finding]:
    """kind: "-1" and "0" let the port be chosen, by Docker or by kind itself."""
    port = networking.get("apiServerPort", 0)
    if not -1 <= port <= MAX_PORT:
        yield Finding(("apiServerPort",), found(port, f"must be between 1 and {MAX_PORT}, or 0 for any free port"))
    address = networking.get("apiServerAddress", DEFAULT_API_SERVER_ADDRESS)
    if not is_ip(address):
        yield Finding(("apiServerAddress",), found(address, "must be an IP address of this machine"))
