"""create, update and patch, as changes of a draft: one transaction each, which a dry run throws away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cluster import deletion
from cluster.admission import admit_ingress, admit_pod
from cluster.defaults import complete, defaulted
from cluster.draft import Draft
from cluster.model import Cluster
from cluster.objects import Object, name
from cluster.registry import (
    admission,
    apply,
    errors,
    json_patch,
    managed_fields,
    metadata,
    scale,
    strategic,
    types,
    versions,
)
from cluster.registry.apply import Applier
from cluster.registry.errors import Cause
from cluster.registry.json_patch import PatchError
from cluster.registry.reading import key_of
from cluster.registry.requests import PatchType, WriteOptions
from cluster.resources import Resource

STATUS = "status"
FINALIZE = "finalize"
NAMESPACED_BY = "Namespace"
_MAX_MANAGER_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about. `name` is None for a create."""

    resource: Resource
    namespace: str
    name: str | None
    subresource: str = ""

    @property
    def stored(self) -> Resource:
        return versions.stored_form(self.resource)


@dataclass(frozen=True, slots=True)
class Change:
    """What one write did to the draft."""

    obj: Object
    created: bool
    warnings: Sequence[str] = ()


class Writer:
    """The verbs on one draft."""

    def __init__(self, draft: Draft, cluster: Cluster, options: WriteOptions) -> None:
        self._draft = draft
        self._cluster = cluster
        self._options = options
        if len(options.field_manager) > _MAX_MANAGER_LENGTH:
            raise errors.bad_request(f"fieldManager: Too long: may not be more than {_MAX_MANAGER_LENGTH} bytes")

    def create(self, target: Target, given: object) -> Change:
        obj, warnings = admission.decoded(target.resource, given, self._options.field_validation)
        manager, api_version = self._options.field_manager, target.resource.api_version

        def owned(new: Object) -> Object:
            return managed_fields.after_update(
                None, new, types.of(target.stored), manager, api_version, "", self._draft.now
            )

        return Change(self._draft.put(self._new(target, obj, owned)), True, warnings)

    def update(self, target: Target, given: object) -> Change:
        stored = self._stored(target)
        obj, warnings = admission.decoded(target.resource, given, self._options.field_validation)
        if not obj.get("metadata", {}).get("name"):
            field, message = "metadata.name", "Required value: name must be provided"
            raise errors.invalid(target.resource, target.name or "", [Cause("FieldValueRequired", message, field)])
        new = self._replacement(target, obj, stored)
        return Change(self._put(target, new, stored), False, warnings)

    def patch(self, target: Target, patch_type: PatchType, patch: Any) -> Change:
        if patch_type == "apply":
            return self._apply(target, patch)
        if target.subresource == scale.SCALE:
            return self.rescale(target, lambda shown: _patched(scale.resource(), shown, patch_type, patch))
        stored = self._stored(target)
        shown = versions.served(stored, target.resource)
        patched = _patched(target.resource, shown, patch_type, patch)
        obj, warnings = admission.decoded(target.resource, patched, self._options.field_validation)
        new = self._replacement(target, obj, stored)
        return Change(self._put(target, new, stored), False, warnings)

    def rescale(self, target: Target, given: Callable[[Object], Any]) -> Change:
        """Write the Scale that `given` makes of the present one."""
        stored = self._stored(target)
        body, warnings = admission.decoded(scale.resource(), given(scale.of(stored)), self._options.field_validation)
        metadata.check_preconditions(
            target.resource, stored, None, body.get("metadata", {}).get("resourceVersion") or None
        )
        new = scale.with_replicas(stored, scale.replicas(body, target.name or ""))
        return Change(self._put(target, new, stored), False, warnings)

    def finalize(self, target: Target, given: object) -> Change:
        """namespaces/finalize: the finalizers in the spec, which nothing else changes."""
        stored = self._stored(target)
        obj, warnings = admission.decoded(target.resource, given, self._options.field_validation)
        finalizers = (obj.get("spec") or {}).get("finalizers") or []
        spec = {"finalizers": finalizers} if finalizers else {}
        new = {**metadata.for_update(target.resource, {**stored, **obj}, stored), "spec": spec}
        return Change(self._put(target, new, stored), False, warnings)

    def _apply(self, target: Target, given: Any) -> Change:
        if target.subresource == scale.SCALE:
            given = _config_of_scale(target, given)
        config, warnings = admission.decoded(target.resource, given, self._options.field_validation)
        manager = self._options.field_manager
        if config.get("metadata", {}).get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        config = metadata.check_place(target.resource, target.namespace, target.name, config)
        applier = Applier(
            manager, target.resource.api_version, target.subresource, self._options.force, self._draft.now
        )
        of = types.of(target.resource)
        config = _of_subresource(config, target)
        existing = self._draft.get(self._key(target))
        if existing is None:
            if target.subresource:
                raise errors.not_found(target.resource, target.name or "")
            merged = apply.merge(None, config, of, applier)
            new = self._new(target, config, lambda obj: apply.finished(None, obj, merged, of, applier))
            return Change(self._draft.put(new), True, warnings)
        shown = versions.served(existing, target.resource)
        merged = apply.merge(shown, config, of, applier)
        new = self._replacement(target, merged.obj, existing)
        new = apply.with_last_applied(apply.finished(existing, new, merged, of, applier), config, applier)
        return Change(self._store(target, new, existing), False, warnings)

    def _new(self, target: Target, obj: Object, owned: Callable[[Object], Object]) -> Object:
        """A complete new object, checked and with what is allocated.

        `owned` says whose its fields are: what was given, and the defaults, but nothing that admission adds.
        """
        resource = target.resource
        obj = metadata.check_place(resource, target.namespace, target.name, obj)
        taken = _Taken(self._draft, target)
        obj = metadata.for_create(resource, obj, lambda prefix: self._draft.generated_name(prefix, taken))
        key = key_of(resource, target.namespace, name(obj))
        if resource.namespaced:
            home = self._draft.get((NAMESPACED_BY, "", target.namespace))
            metadata.check_namespace(resource, target.namespace, name(obj), home)
        if self._draft.get(key) is not None:
            raise errors.already_exists(resource, name(obj))
        obj = owned(defaulted(versions.to_stored(obj, resource)))
        obj = complete(obj, None, self._draft.next_uid(key))
        if resource.kind == "Pod":
            obj = admit_pod(obj, self._cluster)
        elif resource.kind == "Ingress":
            obj = admit_ingress(obj, self._draft.objects("IngressClass"))
        admission.check(target.stored, obj, None)
        return admission.allocated(target.stored, obj, None, self._draft, self._cluster)

    def _replacement(self, target: Target, obj: Object, stored: Object) -> Object:
        """`obj` in place of `stored`: what the request may not change is kept."""
        obj = metadata.check_place(target.resource, target.namespace, target.name, obj)
        obj = versions.to_stored(obj, target.resource)
        if target.subresource == STATUS:
            return metadata.for_status_update(target.stored, obj, stored)
        return self._completed(target, metadata.for_update(target.stored, obj, stored), stored)

    def _completed(self, target: Target, obj: Object, stored: Object) -> Object:
        return admission.allocated(target.stored, defaulted(obj), stored, self._draft, self._cluster)

    def _put(self, target: Target, new: Object, stored: Object) -> Object:
        new = managed_fields.after_update(
            stored, new, types.of(target.stored), self._options.field_manager, target.resource.api_version,
            target.subresource, self._draft.now,
        )  # fmt: skip
        return self._store(target, new, stored)

    def _store(self, target: Target, new: Object, stored: Object) -> Object:
        if target.subresource != STATUS:
            admission.check(target.stored, new, stored)
        put = self._draft.put_status if target.subresource == STATUS else self._draft.put
        result = put(new)
        deletion.finish(self._draft, result)
        return result

    def _stored(self, target: Target) -> Object:
        obj = self._draft.get(self._key(target))
        if obj is None:
            raise errors.not_found(target.resource, target.name or "")
        return obj

    def _key(self, target: Target) -> tuple[str, str, str]:
        return key_of(target.resource, target.namespace, target.name or "")


class _Taken(set[str]):
    """The names of a kind in a namespace, looked up and not listed."""

    def __init__(self, draft: Draft, target: Target) -> None:
        super().__init__()
        self._draft = draft
        self._target = target

    def __contains__(self, item: object) -> bool:
        return self._draft.get(key_of(self._target.resource, self._target.namespace, str(item))) is not None


def _patched(resource: Resource, stored: Object, patch_type: PatchType, patch: Any) -> Any:
    """The object as the patch makes it. Raises StatusError 400 or 422."""
    try:
        if patch_type == "json":
            return json_patch.apply(stored, patch)
        if not isinstance(patch, dict):
            raise errors.bad_request("the patch must be a JSON object")
        if patch_type == "merge":
            return json_patch.merge(stored, patch)
        return strategic.merge(stored, patch, types.of(resource))
    except PatchError as error:
        if patch_type == "strategic":
            raise errors.bad_request(str(error)) from error
        message = "the server rejected our request due to an error in our request"
        cause = {"reason": "UnexpectedServerResponse", "message": str(error)}
        raise errors.StatusError(422, "Invalid", message, {"causes": [cause]}) from error


def _config_of_scale(target: Target, given: Any) -> Object:
    """Applying a Scale is applying the replicas of what it scales."""
    body, _ = admission.decoded(scale.resource(), given, "Ignore")
    count = scale.replicas(body, target.name or "")
    return {"metadata": {"name": target.name}, "spec": {"replicas": count}}


def _of_subresource(config: Object, target: Target) -> Object:
    """Of what is applied to a subresource only its part counts, and of the rest only what is not it."""
    if target.subresource == STATUS:
        return {field: value for field, value in config.items() if field in ("apiVersion", "kind", "metadata", STATUS)}
    if target.resource.subresource(STATUS):
        return {field: value for field, value in config.items() if field != STATUS}
    return config
