"""Desired state -> emulated machines: the sandbox, Mininet nodes and links, pods, processes.

The map of this room, from the outside in.

The sandbox
    sandbox       one testbed = one set of Linux namespaces: make it, find it, enter it
    machine       what the host must have, told with the command that installs it
    init          PID 1: keeps the services running, starts and reaps container processes
    port_mappings ports of the host that lead to ports of nodes
    services      which programs those services are; forked: how they start without a new interpreter
    rootfs        what files look like in there: the host's, read-only; a private root for pods
    confine       become a process of a pod or node: its network, its files, few capabilities
    capabilities, limits   how it loses capabilities; how many open files
    no_xdp        … and the sockets that would go round its pod's guard
    linux         system calls that Python's library lacks

The network
    netlink       rtnetlink messages, many to a system call
    namespaces    network namespaces that stay; netns: visit one
    ovs           the private Open vSwitch: bridges and ports in one transaction; bridges: those of the nodes;
                  packet_sockets: room for bursts
    emulation     nodes, switches and links as Mininet knows them (the one door to mininet)
    geneve        its tunnels, where they are Geneve and not VXLAN
    bridging      loop-free forwarding in an underlay that has loops; carrier: whether cables carry packets yet
    nodes         a node's legs: uplink, gateway, tunnel, routes
    power         nodes that are switched off; faults: what else is broken on purpose, fault_keeper does it; cables: those
                  that are cut
    exposure      … for host ports; health check node ports
    ways_in       what a node's kernel hands to its switch of what comes in by the uplink
    pods          pods' namespaces and interfaces, in batches; pod_maker: the process that makes them
    guard         a pod that shares its switch port sends as nobody else

The node agent
    agent         the loop: desired pods -> what runs; what runs -> status
    managed_pod   one pod as the agent keeps it
    containers    the life of a pod's containers: what should start, stop, start again
    container, back_off    one container; when it starts again
    container_runner       does what those lives want
    images        what an image name runs; agnhost_commands: agnhost's command line; agnhost: that program, in pods
    places        where processes run and what they find there
    container_env, pod_files, sources, volumes    environment, /etc, and what comes from other objects
    resolv_conf   dnsPolicy, dnsConfig
    probes        readiness, liveness, startup (a folder); probe_runner: those of the agent's containers, and hooks
    pod_status, pod_events a pod's status; what is told about it
    switches      to hear when the switches know a pod; ahead: what is asked for before it can be used
    looks, reports         when to look at a pod that nothing happens to; what the API server is told
    failures      what becomes of a failure in a thread

What runs containers
    exit_codes    exit codes as a shell gives them
    runtime       init's side for processes; container_stdio, container_log: their streams and logs
    responder     servers of many pods in one process (a folder); servers: what it serves, as data
    runtime_client         the agent's ends of both

The ingress controller
    ingress       a program in pods that keeps nginx in line with the Ingresses (a folder)

The virtual machine
    vm            this machine's own files with a kernel that has the kernel datapath: mininetes vm (a folder)

What people ask
    kubelet       logs, exec, attach, port-forward (a folder)
    commands      mininetes up, down, exec … (a folder)
    reach, cover  who reaches whom by real packets; few pairs that stand for all; pace: how many at once
    waiting       waiting with a limit

This room imports `cluster`, never `controller`.
"""
