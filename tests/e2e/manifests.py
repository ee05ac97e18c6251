"""The clusters and pods that the end-to-end tests are made of, as Kubernetes objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Object = dict[str, Any]

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.47"
TOOLS = "nicolaka/netshoot"
HTTP_PORT = 8080


def cluster(
    workers: int = 2, ip_family: str = "ipv4", network: Mapping[str, Any] | None = None,
    underlay: Mapping[str, Any] | None = None, clients: int = 0,
) -> Object:  # fmt: skip
    """A control-plane node and workers, named as kind does: control-plane, worker, worker2 …"""
    return {
        "apiVersion": "mininetes.dev/v1alpha1",
        "kind": "Cluster",
        "nodes": [{"role": "control-plane"}, *({"role": "worker"} for _ in range(workers))],
        "networking": {"ipFamily": ip_family},
        "network": dict(network or {}),
        "underlay": dict(underlay or {}),
        "externalClients": clients,
    }


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": list(containers) or [tools()], **spec},
    }


def tools(*command: str, name: str = "tools", **more: Any) -> Object:
    """A container that runs a command of the machine; without one, only waits to be entered."""
    return {"name": name, "image": TOOLS, "command": list(command or ("sleep", "infinity")), **more}


def shell(script: str, name: str = "tools", **more: Any) -> Object:
    """A container that runs a shell script."""
    return tools("sh", "-c", script, name=name, **more)


def netexec(name: str = "web", port: int = HTTP_PORT, declared: bool = True, **more: Any) -> Object:
    """A container that is agnhost's HTTP server."""
    args = ["netexec", f"--http-port={port}", "--udp-port=-1"]
    ports = {"ports": [{"containerPort": port}]} if declared else {}
    return {"name": name, "image": AGNHOST, "args": args, **ports, **more}


def daemon_set(name: str, *containers: Object) -> Object:
    """One pod on every worker."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}},
        },
    }


def deployment(name: str, replicas: int, *containers: Object) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}},
        },
    }


def as_documents(objects: Iterable[Object]) -> str:
    """YAML documents: JSON is YAML."""
    return "\n---\n".join(json.dumps(obj, indent=1) for obj in objects)


def every_second(handler: Mapping[str, Any]) -> Object:
    """A probe that asks each second and believes the first answer."""
    return {**handler, "periodSeconds": 1, "failureThreshold": 1}


def exec_probe(*command: str) -> Object:
    return every_second({"exec": {"command": list(command)}})


def names(objects: Sequence[Object]) -> list[str]:
    return [str(obj["metadata"]["name"]) for obj in objects]
