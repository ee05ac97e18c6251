"""The objects that Ingresses are about, kept up to date by one thread per kind."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from topo.ingress.kube_api import BROKEN, ApiError, KubeApi, Object
from topo.ingress.world import World, full_name

PATHS: Mapping[str, str] = {
    "Ingress": "/apis/networking.k8s.io/v1/ingresses",
    "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
    "Service": "/api/v1/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "Secret": "/api/v1/secrets",
}
_RETRY_S = 0.25
_log = logging.getLogger("ingress")


class Watching:
    """What exists, as the API last told. `changed` is set whenever that becomes something else."""

    def __init__(self, api: KubeApi) -> None:
        self.changed = threading.Event()
        self._api = api
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, Object]] = {}
        """By kind, then by namespace/name; a kind is missing until it was listed."""

    def start(self) -> None:
        for kind in PATHS:
            threading.Thread(target=self._follow, args=(kind,), name=f"watch {kind}", daemon=True).start()

    def world(self) -> World | None:
        """None until every kind was listed."""
        with self._lock:
            if len(self._found) < len(PATHS):
                return None
            return World([obj for found in self._found.values() for obj in found.values()])

    def _follow(self, kind: str) -> None:
        """Without end: list, watch; watch on where the server ended it; list again where that is not possible."""
        version = ""
        while True:
            try:
                if not version:
                    version = self._list(kind)
                version = self._watch(kind, version)
            except ApiError as error:
                if error.status != 410:
                    _log.warning("watching %s: %s", kind, error)
                    self._pause()
                version = ""
            except BROKEN as error:
                _log.info("watching %s: %s", kind, error)
                self._pause()
                version = ""

    def _list(self, kind: str) -> str:
        objects, version = self._api.list(PATHS[kind])
        with self._lock:
            self._found[kind] = {full_name(obj): obj for obj in objects}
        self.changed.set()
        return version

    def _watch(self, kind: str, version: str) -> str:
        for event, obj in self._api.watch(PATHS[kind], version):
            version = obj["metadata"]["resourceVersion"]
            if event == "BOOKMARK":
                continue
            with self._lock:
                if event == "DELETED":
                    self._found[kind].pop(full_name(obj), None)
                else:
                    self._found[kind][full_name(obj)] = obj
            self.changed.set()
        return version

    @staticmethod
    def _pause() -> None:
        threading.Event().wait(_RETRY_S)
