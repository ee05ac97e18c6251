"""WHAT the cluster should be: Kubernetes objects, validation, store, API server, control loops.

The map of this room, in the order in which data flows through it:

    problems      what is wrong with a user's input, and where
    documents     YAML files in, documents with line numbers out (the one door to YAML)
    schema        strict validation against the Kubernetes schemas
    config        the cluster document (kind's or ours) -> model.Cluster
    underlay      a named topology -> switches and links
    model         what a cluster is once its document was read: nodes, network, links, addresses
    spec          all of the above in one call: paths -> Spec
    objects       reading Kubernetes objects: names, owners, addresses, conditions
    workloads     Deployment, ReplicaSet, DaemonSet … -> pods
    scheduler     pods -> nodes
    ipam          pods -> addresses
    system        the objects a cluster has of its own: the DNS server and its Service
    dns           Services, EndpointSlices and Pods -> DNS records
    dns_index     DNS records by name: a question in, an answer out
    dns_state     the records of everything that was watched
    plan          a dry run: what `mininetes plan` prints
    store         objects and their revisions, in SQLite
    history       the changes of the last minutes, for watches and pages
    registry      what a request to the Kubernetes API means
    server        the API over HTTP
    client        how every other process talks to it

This room imports neither `topo` nor `controller`.
"""
