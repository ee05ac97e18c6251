"""Commands about a testbed as a whole and the machines in it.

    lifecycle   up, down, list, clean
    inspect     status, sync
    enter       exec
    prompt      cli
    kubectl     kubectl, kubeconfig
    matrix      who reaches whom
    fault       fault
    vm          a virtual machine with the kernel datapath
"""
