"""Scripted experiments, benchmarks and performance runs: steps in, results out.

    commands    mininetes perf, mininetes bench

This room talks to testbeds only through the `mininetes` command and the API.
"""
