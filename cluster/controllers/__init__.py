"""The control loops: one file for each kind, and what several of them need.

Each is a function of a Context and a key: it looks at what is, compares it with what should be, and writes the
difference into the draft. `cluster.loop_queue` says in which order they run; docs/architecture.md has them as a table.

    deployments          with rollouts (arithmetic), revisions, deployment_status
    replicasets          ReplicaSet and ReplicationController
    statefulsets         with stateful_identity; daemonsets
    jobs                 with job_indexes; cronjobs, with cron (the schedule's syntax)
    adoption, availability, controller_revisions, pod_template
                         which pods are whose; since when one is available; versions of a template; template -> Pod
    services             a Service's addresses and node ports
    load_balancers       Services of type LoadBalancer get an address of the pool
    ingress_controllers  an ingress controller, where an Ingress comes and there is none
    service_slices       Services -> EndpointSlices, with endpoints (which pods, in which state)
    endpoints_objects    … -> Endpoints; mirroring: Endpoints made by hand -> EndpointSlices
    kubernetes_service   the endpoints of the Service `kubernetes`
    node_lifecycle       nodes that fall silent, and what becomes of their pods
    namespaces, collector, disruption, event_expiry
                         namespaces that end, garbage, disruption budgets, old Events
"""
