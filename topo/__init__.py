"""Desired state -> emulated machines: the sandbox, Mininet nodes and links, pods, processes.

The map of this room, from the outside in:

    sandbox       one testbed = one set of Linux namespaces: make it, find it, enter it
    rootfs        what files look like in there: the host's, read-only; a private root for pods
    confine       become a process of a pod or node: its network, its files, few capabilities
    init          PID 1: keeps the services running, starts and reaps container processes
    services      which programs those services are
    machine       what the host must have, told with the command that installs it
    netns         network namespaces: make, pin, visit
    netlink       rtnetlink messages, many to a system call
    ovs           the private Open vSwitch: bridges and ports in one transaction
    emulation     nodes, switches and links as Mininet knows them (the one door to mininet)
    bridging      loop-free forwarding in an underlay that has loops
    nodes         a node's legs: uplink, gateway, tunnel, routes
    pods          pods' namespaces and interfaces, in batches
    images        what an image name runs
    containers    life of a container: start, exit, restart
    probes        readiness, liveness, startup
    responder     servers of many pods in one process
    agent         the loop: desired pods -> what runs; what runs -> status
    matrix        who reaches whom, by real packets
    commands      mininetes up, down, exec …

This room imports `cluster`, never `controller`.
"""
