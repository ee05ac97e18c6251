"""Servers of many pods in one process. A thousand pods are a thousand sets of sockets, not a thousand programs.

    __main__      the process
    control       the agent says over a Unix socket, declaratively, what is to be served
    registry      what is served: containers, their listening sockets, their connections
    sockets       listening sockets, made inside a pod's network namespace
    running       a container that is served, as the registry and its connections share it
    logbook       what served containers print
    connection    one accepted connection, as asyncio sees it
    talks         what is said on it: HTTP, gRPC, lines; an application's server goes by the first bytes
    talk          what all of them have in common
    tls           the same inside TLS
    http1         HTTP/1.1: bytes to requests, responses to bytes
    paths         what is answered to a request: agnhost netexec's paths, or the pod's name
    dial          netexec's /dial: connect from the pod's namespace
    grpc_health   grpc.health.v1.Health over HTTP/2
    dns_server    a DNS query in, the response out, from memory where it can be
    dns_later     the same, loaded later
    dns_wire      DNS messages; dns_quick: nearly all of them, by hand; dns_talk: over TCP
    forwarding    queries that another DNS server answers
    names         what DNS servers know: an index of names that follows the API, and the Corefile
    words         netexec's words over UDP and SCTP; echo
"""
