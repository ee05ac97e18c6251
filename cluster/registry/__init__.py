"""What a request to the Kubernetes API means. No HTTP: `apiserver` turns paths, headers and bodies into these calls.

    errors             metav1.Status: every way in which a request is refused
    requests           what the verbs are asked with, and what they answer
    registry           the verbs
    reading, watching  get, list, watch
    writing            create, update, patch: one object from the request to the draft
    selecting          label and field selectors
    versions           a kind in several group versions
    types              the types of the API, read from the schemas
    decoding           JSON to an object of its type
    metadata           what of an object only the server sets
    admission          what must hold: required fields, rules (field_errors), what may not change (immutable), addresses of
                       Services (service_addresses)
    json_patch, strategic, apply
                       the four forms of a patch
    field_sets, managed_fields
                       who set which field
    subresources       scale, binding, eviction, tokens, finalize

All of it is synchronous and quick: the API server has one event loop, so no call is interleaved with another.
"""

from cluster.registry.errors import StatusError
from cluster.registry.registry import Registry

__all__ = ["Registry", "StatusError"]
