"""WHAT the cluster should be: Kubernetes objects, validation, store, API server, control loops.

The map of this room, in the order in which data flows through it.

What a user writes
    reading              YAML files -> objects that are right, or everything that is wrong with them (a folder)
    rules                what the API server enforces beyond the schemas (a folder)
    problems             what is wrong, told with file and line

What an object is
    model                what a cluster is once its document was read: nodes, network, links, addresses
    objects, ownership   reading Kubernetes objects: names, addresses, conditions; who made them
    kinds, resources     which kinds there are; how the API serves them
    defaults             an object as given -> as stored; default_tables: Kubernetes' defaults as data
    admission            the tolerations that every new Pod gets
    templates            where a workload's pod template is
    selectors            label selectors
    capabilities         what a container may do
    conditions, times, names     entries of a status; times as the API writes them; names made from the spec
    well_known           labels, annotations and taints that Kubernetes gives a meaning

The store and the API
    draft                a change to the state, before it is written
    store, history       objects and revisions in SQLite; the changes of the last minutes
    json_text            objects as JSON text
    registry             what a request to the Kubernetes API means (a folder)
    apiserver            the Kubernetes API over HTTP (a folder)
    api, client          the internal API, and how every other process talks to it
    server               the process: python -m cluster.server; run_directory: the files and sockets of all processes
    seed                 the file with what an empty store starts with, and where that stood in the user's files
    settling, wakeup     when the control loops run, and who is woken when
    deletion, events     how an object goes; what is told about one; broadcaster: a little
                         later; quiet: how much later

The control loops (docs/architecture.md has them as a table)
    loops, loop_queue    they and the store; which are to run, in which order
    marks, index         which of them a change concerns; what they look things up in
    context              what a loop is given
    controllers          the loops: one file for each kind (a folder)
    scheduling           pods get a node and an address (a folder)
    service_ips, node_ports      Services' addresses and node ports
    nodes, machine       the nodes, and what they have; service_processes: a testbed's own processes
    system               the objects a cluster has of its own
    ingress_controller, ingress_annotations        … the ingress controller among them; what it follows
    settled              is everything realised?

Names
    dns                  Services, EndpointSlices and Pods -> DNS records
    dns_index, dns_state records by name; the records of everything that was watched
    corefile             what the DNS servers go by; corefile_syntax: its shape
    dns_answers          a question in, an answer out

What a command asks
    plan                 a dry run: what `mininetes plan` prints
    policy_oracle        who reaches whom by the NetworkPolicies; service_oracle: where a connection to a Service ends
    policy_names         what a policy's rules are called, and where they stand
    reachability, claims tables of who reaches whom; lines that say who must
    commands, waiting    the `mininetes` command; waiting with a limit; go_duration: 1m30s

This room imports neither `topo` nor `controller`.
"""
