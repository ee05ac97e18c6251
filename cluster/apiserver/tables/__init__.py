"""What `kubectl get` shows: columns kind by kind, as the real server prints them (pkg/printers/internalversion/printers.go).

columns    what a column is
text       ages, labels, lists that are cut short
pods, workloads, network, others    the columns of each kind
table      objects and columns to meta.k8s.io/v1 Table
"""
