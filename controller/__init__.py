"""Desired state -> OpenFlow: the pipeline, one file per feature, the Ryu application.

The map of this room, in the order in which data flows through it:

    state         API objects -> NetworkState: pods, Services, endpoints
    pipeline      the tables as data; registers, marks, zones, priorities
    fields        the match fields, by their OXM names
    match         what a packet must be
    actions       what happens to it
    learn         the action that makes flows in the switch
    flow          a Flow, checked against the pipeline when it is built; Group, Rules, FlowTable

    classifier    a packet comes in: from where?                      one flow per way in
    spoof_guard   may this sender use this address?                   one flow per pod and family
    conntrack     which connection does it belong to?                 fixed
    policies      NetworkPolicies: conjunctions of subjects,     by difference: one flow per address and port
                  peers and ports
    services      a Service's address -> one of its endpoints         one flow per port and address, one per endpoint
    service_endpoints  which endpoints a node's clients reach, and the number of each
    service_frontends  the addresses and ports that are a Service's
    host_ports    a port of a node -> one of its pods                 one flow per port and address
    balancing     a number is drawn: select groups and multipath      one group per count of endpoints
    affinity      a client comes back to its endpoint                 learned by the switch itself
    hairpin       a pod reaching itself through a Service             one flow per pod and family
    forwarding    local pods, the node itself, the rest               one flow per pod and family
    overlay       other nodes' pods, through the tunnel               one flow per node and family
    direct        other nodes' pods, through the node's kernel        one flow per node and family
    edge          a load balancer's address -> a node, in a switch of its own  one flow per port and node
    edge_health   which nodes answer there
    outside       the world outside: what of it gets in, and as whom pods go out   some twenty flows per node
    output        the way out                                         fixed

    policy_rules  one policy, compiled; policy_model: as the pipeline sees it; policy_groups: which pods it selects
    policy_parts  a rule as conjunctions; policy_clauses: as flows, kept by difference; policy_matches: what they match
    policy_isolation    which pods are isolated, and the generation of each node

    policy_figures  what compiling policies costs, for bench policy

    compiler      NetworkState -> one FlowTable per node, recompiling only what changed
    decode        what a switch says that it holds
    encode        flows and groups -> OpenFlow 1.3 bytes, bundles
    desired       watched batches -> what every switch must hold
    events        what switches say, without the framework
    switch        one connected switch: what it holds, what it must hold, the difference
    realiser      all switches: which revision they hold, what they refused
    framework     the one door to Ryu (or os-ken)
    app           python -m controller.app

    dummy_switch  a real Open vSwitch without a kernel, to ask what a packet would do
    asking        whether one pod reaches another, asked of such a switch
    dump          what API and switches say, read inside the sandbox
    annotate      a dump of flows, in the words of manifests
    trace_text    what ofproto/trace prints, read
    trace         one packet's way, switch by switch, in the words of manifests
    trace_policies      what the policies said on that way; trace_expected: what the API says of it
    traced        python -m controller.traced: the same inside the sandbox, beside what the API says
    trace_commands     mininetes trace
    check         every pair asked of what some manifests compile to
    check_findings, check_output: what does nothing; as table, JSON, JUnit, Markdown
    policy_words  what policies said of a connection, in words: for check and trace
    check_command      mininetes check
    commands      mininetes flows, mininetes plan

This room imports `cluster`, never `topo`.
"""
