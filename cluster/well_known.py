"""Names that Kubernetes gives a meaning: labels, annotations and taints that more than one module reads or writes.

https://kubernetes.io/docs/reference/labels-annotations-taints/
"""

from __future__ import annotations

ZONE_LABEL = "topology.kubernetes.io/zone"
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
"""A label of the control-plane node, and the key of its taint."""

NOT_READY_TAINT = "node.kubernetes.io/not-ready"
UNREACHABLE_TAINT = "node.kubernetes.io/unreachable"
UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"

LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

HEADLESS = "None"
"""spec.clusterIP of a Service without addresses of its own."""
