"""Who reaches whom by the NetworkPolicies, and which rule says so: written from the text of networking.k8s.io/v1 alone.

Slow and plain on purpose. The compiled pipeline and real packets are held against it. The quotations are the API's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from cluster.model import IPAddress
from cluster.objects import Object, labels, name, namespace
from cluster.policy_names import Direction, RuleName
from cluster.reachability import Tables
from cluster.selectors import matches
from cluster.well_known import NAMESPACE_NAME_LABEL

Party = str | IPAddress
"""A pod ("shop/web-1"), or an address that is no pod's."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the policies say of one direction: those that isolate the subject, and the first rule that allows."""

    isolated_by: tuple[str, ...] = ()
    rule: RuleName | None = None

    @property
    def allowed(self) -> bool:
        return not self.isolated_by or self.rule is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Both sides of a connection; both must allow it."""

    egress: Judgement
    ingress: Judgement

    @property
    def allowed(self) -> bool:
        return self.egress.allowed and self.ingress.allowed


class Oracle:
    """The Pods, Namespaces and NetworkPolicies of a cluster. `node_addresses` by node, where nodes are asked about."""

    def __init__(
        self, objects: Iterable[Object], node_addresses: Mapping[str, Collection[IPAddress]] | None = None
    ) -> None:
        objects = list(objects)
        self.pods = {_key(obj): obj for obj in objects if obj["kind"] == "Pod" and _on_the_network(obj)}
        self._namespaces = {name(obj): labels(obj) for obj in objects if obj["kind"] == "Namespace"}
        self._policies = sorted((obj for obj in objects if obj["kind"] == "NetworkPolicy"), key=_key)
        self._node_addresses = node_addresses or {}

    def verdict(self, source: Party, target: Party, protocol: str, port: int, ip_version: int = 4) -> Verdict:
        """Of a new connection to a port, by the addresses of one IP family."""
        if source == target or self._is_node_of(source, target) or self._is_node_of(target, source):
            # "a pod cannot block access to itself", and "traffic to and from the node where a Pod is running is
            # always allowed" (Kubernetes' concept page of NetworkPolicies).
            return Verdict(Judgement(), Judgement())
        asked = _Connection(source, target, protocol, port, ip_version)
        return Verdict(self._judge("egress", asked), self._judge("ingress", asked))

    def tables(self, questions: Iterable[tuple[str, int]], ip_version: int = 4) -> Tables:
        """Every pair of pods on these (protocol, port)."""
        tables = Tables()
        for protocol, port in questions:
            for source in self.pods:
                for target in self.pods:
                    reaches = self.verdict(source, target, protocol, port, ip_version).allowed
                    tables.put(f"{protocol}/{port}", source, target, reaches)
        return tables

    def _is_node_of(self, one: Party, other: Party) -> bool:
        node = self.pods[other]["spec"].get("nodeName") if isinstance(other, str) else None
        return node is not None and one in self._node_addresses.get(node, ())

    def _judge(self, direction: Direction, asked: _Connection) -> Judgement:
        """ "Traffic is allowed to a pod if there are no NetworkPolicies selecting the pod …, or if the traffic matches
        at least one ingress rule across all of the NetworkPolicy objects whose podSelector matches the pod." Egress
        likewise.
        """
        subject = asked.subject(direction)
        if not isinstance(subject, str):
            return Judgement()
        isolating = [policy for policy in self._policies if self._isolates(policy, direction, subject)]
        rules = (rule for policy in isolating for rule in self._matching(policy, direction, asked))
        return Judgement(tuple(map(_key, isolating)), next(rules, None))

    def _isolates(self, policy: Object, direction: Direction, subject: str) -> bool:
        """podSelector "selects the pods to which this NetworkPolicy object applies"; "An empty podSelector matches all
        pods in this namespace."
        """
        pod = self.pods[subject]
        selected = namespace(pod) == namespace(policy) and matches(policy["spec"].get("podSelector", {}), labels(pod))
        return selected and direction in _policy_types(policy["spec"])

    def _matching(self, policy: Object, direction: Direction, asked: _Connection) -> Iterator[RuleName]:
        """ "Traffic must match both ports and from." Egress: "both ports and to"."""
        peers_field = "from" if direction == "ingress" else "to"
        for index, rule in enumerate(policy["spec"].get(direction) or ()):
            peers, ports = rule.get(peers_field), rule.get("ports")
            if self._peers_match(namespace(policy), peers, asked.peer(direction), asked.ip_version) and (
                self._ports_match(ports, asked)
            ):
                yield RuleName(_key(policy), direction, index)

    def _peers_match(self, here: str, peers: list[Any] | None, party: Party, ip_version: int) -> bool:
        """ "Items in this list are combined using a logical OR operation. If this field is empty or missing, this rule
        matches all sources."
        """
        return not peers or any(self._peer_matches(here, peer, party, ip_version) for peer in peers)

    def _peer_matches(self, here: str, peer: Mapping[str, Any], party: Party, ip_version: int) -> bool:
        block = peer.get("ipBlock")
        if block is not None:
            # "If this field is set then neither of the other fields can be."
            address = self._address(party, ip_version)
            return address is not None and _block_contains(block, address)
        if not isinstance(party, str):
            return False
        pod = self.pods[party]
        # podSelector "follows standard label selector semantics; if present but empty, it selects all pods".
        pod_selector = peer.get("podSelector", {})
        namespace_selector = peer.get("namespaceSelector")
        if namespace_selector is None:
            # "Otherwise it selects the pods matching podSelector in the policy's own namespace."
            in_namespace = namespace(pod) == here
        else:
            # "If podSelector is also set, then the NetworkPolicyPeer as a whole selects the pods matching podSelector
            # in the namespaces selected by namespaceSelector. Otherwise it selects all pods in the namespaces …"
            in_namespace = matches(namespace_selector, self._namespace_labels(namespace(pod)))
        return in_namespace and matches(pod_selector, labels(pod))

    def _namespace_labels(self, of: str) -> Mapping[str, str]:
        return {**self._namespaces.get(of, {}), NAMESPACE_NAME_LABEL: of}

    def _ports_match(self, ports: list[Any] | None, asked: _Connection) -> bool:
        """ "Each item in this list is combined using a logical OR. If this field is empty or missing, this rule matches
        all ports (traffic not restricted by port)."
        """
        return not ports or any(self._port_matches(port, asked) for port in ports)

    def _port_matches(self, port: Mapping[str, Any], asked: _Connection) -> bool:
        # protocol "represents the protocol (TCP, UDP, or SCTP) which traffic must match. If not specified, this field
        # defaults to TCP."
        if (port.get("protocol") or "TCP") != asked.protocol:
            return False
        wanted, end = port.get("port"), port.get("endPort")
        if wanted is None:
            # "If this field is not provided, this matches all port names and numbers."
            return True
        if isinstance(wanted, str):
            # "a numerical or named port on a pod": the pod that is connected to.
            return self._named_port(asked.target, wanted, asked.protocol) == asked.port
        # endPort: "indicates that the range of ports from port to endPort if set, inclusive, should be allowed".
        return bool(wanted <= asked.port <= (wanted if end is None else end))

    def _named_port(self, party: Party, wanted: str, protocol: str) -> int | None:
        if not isinstance(party, str):
            return None
        for container in self.pods[party]["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("name") == wanted and (port.get("protocol") or "TCP") == protocol:
                    return int(port["containerPort"])
        return None

    def _address(self, party: Party, ip_version: int) -> IPAddress | None:
        if not isinstance(party, str):
            return party
        addresses = (ip_address(entry["ip"]) for entry in self.pods[party].get("status", {}).get("podIPs", ()))
        return next((address for address in addresses if address.version == ip_version), None)


@dataclass(frozen=True, slots=True)
class _Connection:
    source: Party
    target: Party
    protocol: str
    port: int
    ip_version: int

    def subject(self, direction: Direction) -> Party:
        return self.target if direction == "ingress" else self.source

    def peer(self, direction: Direction) -> Party:
        return self.source if direction == "ingress" else self.target


def _policy_types(spec: Mapping[str, Any]) -> Collection[str]:
    """ "If this field is not specified, it will default based on the existence of ingress or egress rules; policies that
    contain an egress section are assumed to affect egress, and all policies (whether or not they contain an ingress
    section) are assumed to affect ingress."
    """
    types = spec.get("policyTypes")
    if types:
        return [each.lower() for each in types]
    return ["ingress", "egress"] if spec.get("egress") else ["ingress"]


def _block_contains(block: Mapping[str, Any], address: IPAddress) -> bool:
    """except "is a slice of CIDRs that should not be included within an IPBlock"."""
    return _contains(block["cidr"], address) and not any(_contains(hole, address) for hole in block.get("except") or ())


def _contains(cidr: str, address: IPAddress) -> bool:
    subnet = ip_network(cidr, strict=False)
    return subnet.version == address.version and address in subnet


def _on_the_network(pod: Mapping[str, Any]) -> bool:
    """A pod that has ended has no address any more; one on the host's network has its node's."""
    return not pod["spec"].get("hostNetwork") and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def _key(obj: Mapping[str, Any]) -> str:
    return f"{namespace(obj)}/{name(obj)}"
