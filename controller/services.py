"""A Service's address -> one of its endpoints: a select group, each bucket one endpoint, chosen once per connection.

Addresses of the service range that belong to no Service, or to one without endpoints, are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable

from cluster.model import Cluster, IPAddress
from controller.actions import Action, Conntrack, Load, Nat, ToGroup
from controller.flow import Flow, Group, Rules
from controller.match import eth_type, ip_dst, ip_proto, transport_dst
from controller.pipeline import (
    CONNTRACK_ZONE,
    EGRESS_POLICY,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    SERVICE_LB,
    SERVICE_MARK,
    Feature,
)
from controller.state import EndpointSlice, Service, ServicePort


def services(subject: Service | Cluster, slices: Iterable[EndpointSlice] = ()) -> Rules:
    """One flow and one group per port and IP family of a Service; one flow per service range. On every node."""
    if isinstance(subject, Cluster):
        return Rules(everywhere=tuple(_range_flows(subject)))
    slices = tuple(slices)
    flows, groups = [], []
    for address in subject.cluster_ips:
        for port in subject.ports:
            group = _group(subject, port, address, slices)
            if group is not None:
                groups.append(group)
                flows.append(_flow(subject, port, address, (ToGroup(group.group_id),)))
    return Rules(everywhere=tuple(flows), groups=tuple(groups))


def _flow(service: Service, port: ServicePort, address: IPAddress, actions: tuple[Action, ...]) -> Flow:
    match = (
        eth_type(address.version),
        ip_dst(address),
        ip_proto(port.protocol),
        transport_dst(port.protocol, port.service_port),
    )
    return Flow(SERVICE_LB, PRIORITY_NORMAL, match, actions, Feature.SERVICES, f"Service {service.key}")


def _group(
    service: Service, port: ServicePort, cluster_ip: IPAddress, slices: Iterable[EndpointSlice]
) -> Group | None:
    """None when the port has no endpoint of this family."""
    endpoints = {
        (int(address), target.target_port): address
        for endpoint_slice in slices
        if endpoint_slice.ip_version == cluster_ip.version
        for target in endpoint_slice.ports
        if (target.name, target.protocol) == (port.name, port.protocol)
        for address in endpoint_slice.addresses
    }
    buckets = tuple((_bucket(endpoints[key], key[1]),) for key in sorted(endpoints))
    purpose = f"{cluster_ip} {port.protocol} {port.service_port}"
    return Group(purpose, buckets, f"Service {service.key}") if buckets else None


def _bucket(endpoint: IPAddress, target_port: int) -> Conntrack:
    translation, mark = Nat("dst", endpoint, target_port), Load(SERVICE_MARK, 1)
    return Conntrack(CONNTRACK_ZONE, EGRESS_POLICY, commit=True, nat=translation, mark=mark)


def _range_flows(cluster: Cluster) -> Iterable[Flow]:
    for subnet in cluster.service_subnets:
        match = (eth_type(subnet.version), ip_dst(subnet))
        yield Flow(SERVICE_LB, PRIORITY_LOW, match, (), Feature.SERVICES, f"Cluster {cluster.name}")
