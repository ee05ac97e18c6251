"""What a user writes -> objects that are right, or everything that is wrong with it.

    documents            YAML files in, documents with line numbers out (the one door to YAML)
    findings             what is wrong, where; a SpecError names file and line
    schema               strict validation against the Kubernetes schemas; jsonschema_findings: its errors in our words
    syntax, quantities   what names, ports, amounts look like
    manifests            one manifest, checked
    config               the cluster document (kind's or ours) -> model.Cluster; config_fields: its schema
    underlay             a named topology -> switches and links; underlay_findings: what can be wrong with it
    port_mappings        ports of the host that lead to ports of nodes
    addressing           which addresses a cluster has
    notices              what is accepted and has no effect
    spec                 all of the above in one call: paths -> Spec
"""
