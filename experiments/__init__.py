"""Scripted experiments, benchmarks and performance runs: steps in, results out.

    commands         mininetes perf, mininetes bench
    fidelity         how far a run is to be trusted, and whose fault it is if it is not (a folder)
    plain            the same spec on the kernel's own data plane, to compare with (a folder)
    suite            the performance suite: every cell of the published CNI benchmarks, beside plain (a folder)
    quickstart       what `make run` shows: a testbed, who reaches whom, how fast

    scripted         experiments as files: mininetes experiment (a folder); library: those that come with this program
    reports          results of experiments for people: tables, plots, one page, two results side by side

    testbed          a testbed through the `mininetes` command: start, ask, end
    iperf            one iperf3 run between two machines, and what it said
    hands            a program in a machine that does what it is told; hand: that program
    outside          every way from outside to a Service, and back out, tried: mininetes outside (outside_command)
    environment      versions of programs, and the machine: what a result was measured on
    paths            which pods `perf` measures when nobody names any
    goals            a figure beside what it should be; the form of a benchmark's answer
    statistics       samples of interleaved rounds: pairs, ratios, medians
    generated        specs of a given size

    boot             bench boot: ours, the floor and the peer, round by round
    throughput       bench throughput: our pipeline beside one NORMAL flow, on the same datapath
    api_bench        bench api: writes per second, watches, memory; by api_client, in api_scale and api_watchers,
                     beside api_floor
    policy_bench     bench policy: flows, time and memory of NetworkPolicies, and what one relabelled pod costs;
                     policy_throughput: what they cost packets
    services_bench   bench services: a Service's address beside its endpoint's, many Services beside few and beside
                     nft_peer; connecting is what connects
    shaping_bench    bench shaping: what shaped links carry over what they should
    outside_bench    bench outside: node ports, load balancers, Ingress beside the pod itself
    programming_bench  bench programming: from the API to the last switch; switch_load does it inside the sandbox,
                     policy_programming for policies
    dns_bench        bench dns: how soon a record follows its object, queries per second beside dnsmasq; dns_asking is
                     what asks
    datapaths        the same cluster on both datapaths of a machine that has both
    many_services    Services by the thousand; many_policies: NetworkPolicies; bulk: how they come into the API
    connections      connecting, run in two machines
    placement        on which processor a switch works, and who asks through it
    memory           how much of the machine's memory something takes

    floor            the same namespaces, interfaces and bridges with nothing around them
    plain_bridge     one bridge, one NORMAL flow, two namespaces
    peer             the stock Mininet API at the same work
    nft_peer         Services as nftables rules, in the styles of kube-proxy's modes
    connecting       connections one after the other
    isolated         run one of the above in namespaces of its own
    private_ovs      an Open vSwitch for one of the above
    kernel           rtnetlink messages and namespaces for them

The last eight share no code with the testbed: who measures must not use what is measured.
This room talks to testbeds only through the `mininetes` command and the API.
"""
