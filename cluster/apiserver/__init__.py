"""The Kubernetes API over HTTP: what clients see of it. What a request means to objects is the registry's business.

serving          the sockets: TLS, connections that authenticate and can become tunnels
pki, kubeconfig  certificates and tokens of a testbed, and the file that gives them to clients
authentication   who asks
paths            what a path names
discovery        /version, /api, /apis
openapi          /openapi/v2 and v3, openapi_proto the form that older kubectl wants
negotiation      which form of an answer a client accepts
tables           the columns of `kubectl get`, kind by kind
routes           requests on objects; watches streams their changes
streams          log, exec, attach, port-forward and proxy: to the kubelet and through it
app              all of it as one ASGI application
"""
