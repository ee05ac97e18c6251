"""The performance suite: what SDN costs, and what it gives, beside the same spec on the kernel's own data plane.

    command      mininetes bench suite; make perf
    run          all networks up, every cell so often, arms in turn; the result in the form of results.json
    cells        what is measured: load x path x by what address x mode; the quick selection
    arms         the networks: Mininetes and plain, overlay and direct; who is client and server in them
    loads        one cell in one network: the figures
    usage        processor time and memory of a network's own processes
    record       runs -> figures, ratios, expectations, claims
    table        … -> what the terminal shows

The cells are those of the published CNI benchmarks: TCP with one and eight streams, UDP, requests on one connection,
and connections of one request each.
"""
