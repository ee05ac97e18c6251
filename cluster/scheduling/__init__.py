"""Pods get a node, and an address on it.

    placing              the two loops, at work on a draft
    scheduler            the node: filters and scores of kube-scheduler
    node_fit             what a pod's spec asks of a node; pod_affinity: what it asks of the pods there
    seats                what is known of every node while pods come and go; resource_amounts: "100m", "64Mi"
    ipam                 the address: a number on the node; addresses: the numbers in use
"""
