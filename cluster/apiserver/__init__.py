"""The Kubernetes API over HTTP: what clients see of it. What a request means to objects is the registry's business.

serving          the sockets: TLS, connections that authenticate and can become tunnels
pki, kubeconfig  certificates and tokens of a testbed, and the file that gives them to clients
authentication   who asks; tokens: those of service accounts
paths            what a path names
discovery        /version, /api, /apis
openapi          /openapi/v2 and v3, of openapi_schemas and openapi_paths; openapi_proto: the form that older kubectl wants
negotiation      which form of an answer a client accepts
bodies           what comes with a request; protobuf: the form that newer kubectl sends
forms            objects, lists and events in the form that was asked for
tables           the columns of `kubectl get`, kind by kind
routes           requests on objects; watches: the streams of their changes; effects: warnings for what has none
reviews          who am I, may I: requests in the form of objects
streams, proxy   log, exec, attach, port-forward and proxy: to the kubelet and through it
exchange, tunnel requests to others; bytes passed unseen
responses        how all of it is answered
app              one ASGI application
"""
