"""What containers take from other objects: variables of Services, ConfigMaps and Secrets, and the token of their account.

Looked up by name in objects that somebody else keeps up to date: the agent by its watch, `exec` by one question.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cluster import objects
from cluster.apiserver import tokens
from cluster.controllers.namespaces import ROOT_CA
from cluster.objects import Object

KINDS = ("ConfigMap", "Secret", "Service", "ServiceAccount")
TOKEN_LIFETIME_S = 365 * 24 * 3600
"""As kube-apiserver's --service-account-extend-token-expiration: here nothing renews them."""
_KEY_FILE, _CA_FILE = "pki/sa.key", "pki/ca.crt"


class ConfigError(Exception):
    """An object or a key of it is not there. The container waits for it."""


class Sources:
    """Objects of KINDS. `run` is the testbed's run directory, where the key for tokens is."""

    def __init__(self, found: Iterable[Object] = (), run: Path | None = None) -> None:
        self._run = run
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._services: dict[str, dict[str, Object]] = {}
        self._variables: dict[str, dict[str, str]] = {}
        """Of Services, by namespace; made when somebody asks."""
        for obj in found:
            self.put(obj)

    def put(self, obj: Object) -> None:
        key = (str(obj["kind"]), objects.namespace(obj), objects.name(obj))
        self._objects[key] = obj
        if key[0] == "Service":
            self._services.setdefault(key[1], {})[key[2]] = obj
            self._variables.clear()

    def remove(self, obj: Object) -> None:
        key = (str(obj["kind"]), objects.namespace(obj), objects.name(obj))
        self._objects.pop(key, None)
        if key[0] == "Service":
            self._services.get(key[1], {}).pop(key[2], None)
            self._variables.clear()

    def clear(self) -> None:
        self._objects.clear()
        self._services.clear()
        self._variables.clear()

    def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes]:
        """Of a ConfigMap or Secret, by key. Raises ConfigError."""
        obj = self._objects.get((kind, namespace, name))
        if obj is None and name == ROOT_CA and self._run is not None and (self._run / _CA_FILE).exists():
            # Every namespace has it, if perhaps a moment later than its first pod.
            return {"ca.crt": (self._run / _CA_FILE).read_bytes()}
        if obj is None:
            raise ConfigError(f'{kind.lower()} "{name}" not found')
        return objects.data(obj)

    def service_variables(self, namespace: str, links: bool) -> dict[str, str]:
        """"For each Service … of the same namespace, and the API server's" (kubernetes.io, Service: Environment
        variables); without `links` only the latter. Not to be changed."""
        where = namespace if links else ""
        if where not in self._variables:
            services = dict(self._services.get(where, {}))
            if (api := self._services.get("default", {}).get("kubernetes")) is not None:
                services["kubernetes"] = api
            variables: dict[str, str] = {}
            for service in services.values():
                variables |= _variables(service)
            self._variables[where] = variables
        return self._variables[where]

    def token(self, pod: Mapping[str, Any], audience: str | None) -> str:
        """A token of the pod's service account, bound to the pod. Raises ConfigError."""
        namespace, account = objects.namespace(pod), pod["spec"].get("serviceAccountName") or "default"
        found = self._objects.get(("ServiceAccount", namespace, account))
        if found is None or self._run is None:
            raise ConfigError(f'serviceaccounts "{account}" not found')
        now = int(time.time())
        bound = {"pod": {"name": objects.name(pod), "uid": pod["metadata"]["uid"]}}
        token = tokens.ServiceAccountToken(
            namespace, account, found["metadata"]["uid"], [audience or tokens.ISSUER], now, now + TOKEN_LIFETIME_S, bound
        )
        try:
            return tokens.sign(token, (self._run / _KEY_FILE).read_bytes())
        except FileNotFoundError:
            raise ConfigError("the API server has no key for tokens yet") from None


NOTHING = Sources()


def _variables(service: Object) -> dict[str, str]:
    """Of one Service with an address: those of Kubernetes, then those of Docker's links (kubelet, envvars.FromServices)."""
    spec = service["spec"]
    address = spec.get("clusterIP") or "None"
    ports = spec.get("ports") or ()
    if address == "None" or not ports:
        return {}
    prefix = objects.name(service).upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    variables = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            variables[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for number, port in enumerate(ports):
        protocol = port.get("protocol", "TCP")
        url = f"{protocol.lower()}://{host}:{port['port']}"
        if number == 0:
            variables[f"{prefix}_PORT"] = url
        link = f"{prefix}_PORT_{port['port']}_{protocol}"
        variables[link] = url
        variables[f"{link}_PROTO"] = protocol.lower()
        variables[f"{link}_PORT"] = str(port["port"])
        variables[f"{link}_ADDR"] = address
    return variables
