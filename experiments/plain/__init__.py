"""The same spec on the kernel's own data plane, as kind and kube-proxy build it: what Mininetes is compared with.

    network      with running(spec) as plain: the small interface of experiments.testbed
    planned      a spec -> its pods, with nodes and addresses, and its Services, with endpoints
    wiring       … -> ip(8), bridge(8) and tc(8) commands: namespaces, veth pairs, bridges, VXLAN devices, routes
    proxy        … -> nftables rules, laid out as kube-proxy's nftables mode does
    build        the program that runs them, in a sandbox of its own

Pods are attached by routes, as kindnet does it: a veth pair whose other end is in the node, no bridge in between. Of a
spec it takes the underlay without loops, pods and Services by their cluster IPs; no policies, node ports, DNS or
containers. It shares the reading and planning of specs with Mininetes, so that addresses and endpoints are the same; of
the data plane it shares nothing.
"""
