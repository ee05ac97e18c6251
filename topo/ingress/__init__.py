"""The ingress controller: a process in a pod that keeps an nginx beside it in line with the cluster's Ingresses.

The map, in the order in which data flows through it:

    options        its command line, as ingress-nginx's
    kube_api       the Kubernetes API from inside a pod: list, watch, patch
    watching       what exists, kept up to date in threads
    world          the objects, found by name
    wishes         what an Ingress's annotations ask for
    classes        which Ingresses are this controller's
    backends       Service and EndpointSlices -> where requests can go
    routes         Ingresses -> hosts and their locations; site is what they are
    certificates   Secrets -> files with certificates
    nginx_conf     a site -> the text of nginx.conf
    nginx          the nginx process: starts, takes over a new configuration, ends
    status         the addresses where Ingresses are reached, into their status
    controller     the loop around all of it; health: what probes ask it

Everything from `wishes` to `nginx_conf` is a function of objects. A pod's root holds a copy of this folder
(`rootfs`) and runs it with the machine's Python, so it imports nothing but the standard library, itself and
`cluster.ingress_annotations`. Decision 017 says what follows the specification and what follows ingress-nginx.
"""
