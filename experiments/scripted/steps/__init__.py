"""The steps of an experiment: one class for each kind, with its fields, what is wrong with them, and what it does.

    step         what every step is: when it begins, which figures it yields
    kinds        all of them, by the word that the file uses

    objects      apply, delete, scale, wait
    throughput   iperf3
    loads        load (HTTP), dns
    faults       fault
    looking      exec, matrix, expect
"""
