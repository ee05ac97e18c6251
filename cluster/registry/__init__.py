"""What a request to the Kubernetes API means. No HTTP: `apiserver` turns paths, headers and bodies into these calls.

    errors      metav1.Status: every way in which a request is refused
    requests    what the verbs are asked with, and what they answer

All of it is synchronous and quick: the API server has one event loop, so no call is interleaved with another.
"""
