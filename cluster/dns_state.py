"""The DNS records of everything that was watched: batches of changes in, the next index out; and the Corefile."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping

from cluster.client import Batch, Event
from cluster.corefile import Corefile, CorefileError, parse
from cluster.dns import Record, pod_records, service_records
from cluster.dns_index import Index
from cluster.draft import Key, key_of
from cluster.objects import Object, labels, namespace
from cluster.system import COREFILE, COREFILE_KEY, is_dns_config
from cluster.well_known import SERVICE_NAME_LABEL

KINDS = ("Service", "EndpointSlice", "Pod", "ConfigMap")
"""What records are made of, and the configuration."""

_log = logging.getLogger(__name__)


class DnsState:
    """The watched Services and EndpointSlices, and the index made of them and of the pods."""

    def __init__(self) -> None:
        self.index = Index()
        self.corefile: Corefile = parse(COREFILE)
        self._services: dict[Key, Object] = {}
        self._slices: defaultdict[Key, dict[Key, Object]] = defaultdict(dict)
        """EndpointSlices by their Service."""
        self._service_of: dict[Key, Key] = {}
        """The Service of each EndpointSlice."""
        self._pods: set[Key] = set()

    def take(self, batch: Batch) -> Index:
        """The index after a batch; only objects that it concerns are looked at."""
        changed: dict[Key, tuple[Record, ...]] = {}
        services: dict[Key, None] = {}
        if batch.reset:
            present = {key_of(event.object) for event in batch.events}
            for key in self._known() - present:
                self._forget(key, changed, services)
        for event in batch.events:
            self._note(event, changed, services)
        changed.update((key, self._records(key)) for key in services)
        self.index = self.index.updated(changed)
        return self.index

    def _known(self) -> set[Key]:
        return {*self._services, *self._service_of, *self._pods}

    def _configure(self, event: Event) -> None:
        """The Corefile of the ConfigMap, or the one that every cluster has at first. What is wrong changes nothing."""
        text = event.object.get("data", {}).get(COREFILE_KEY) if event.type != "DELETED" else None
        try:
            self.corefile = parse(COREFILE if text is None else text)
        except CorefileError as error:
            _log.error("the Corefile is wrong, so the one before stays in force: %s", error)

    def _note(self, event: Event, changed: dict[Key, tuple[Record, ...]], services: dict[Key, None]) -> None:
        obj, key = event.object, key_of(event.object)
        if key[0] == "ConfigMap":
            if is_dns_config(obj):
                self._configure(event)
        elif event.type == "DELETED":
            self._forget(key, changed, services)
        elif key[0] == "Pod":
            self._pods.add(key)
            changed[key] = pod_records(obj)
        elif key[0] == "Service":
            self._services[key] = obj
            services[key] = None
        else:
            self._forget(key, changed, services)  # its label may name another Service now
            service: Key = ("Service", namespace(obj), labels(obj).get(SERVICE_NAME_LABEL, ""))
            self._slices[service][key] = obj
            self._service_of[key] = service
            services[service] = None

    def _forget(self, key: Key, changed: dict[Key, tuple[Record, ...]], services: dict[Key, None]) -> None:
        if key[0] == "Pod":
            self._pods.discard(key)
            changed[key] = ()
        elif key[0] == "Service":
            self._services.pop(key, None)
            services[key] = None
        elif service := self._service_of.pop(key, None):
            del self._slices[service][key]
            if not self._slices[service]:
                del self._slices[service]
            services[service] = None

    def _records(self, key: Key) -> tuple[Record, ...]:
        service = self._services.get(key)
        slices: Mapping[Key, Object] = self._slices.get(key, {})
        return () if service is None else service_records(service, slices.values())
