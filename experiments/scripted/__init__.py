"""Experiments as files: read, planned, run (docs/experiments.md says how they are written, decision 018 why so).

The map, in the order in which data flows:

    values          what durations, rates, names of machines look like and mean
    placed          values with their lines, and `${{ name }}` replaced
    steps           the kinds of steps (a folder)
    fields          the fields of an experiment as JSON schemas, and the schema that is published
    known           what a spec holds that steps may speak of
    step_reading    the steps of one variant
    conclusions     ratios, expectations, figures that are reported
    file            a file -> an Experiment, or everything that is wrong with it
    model           an Experiment
    order           its runs in their order

    runner          runs what is not finished yet, and puts all of it together
    testbeds        the testbeds that runs use
    scene           where steps act: a testbed, and what is in it
    programs        what runs in pods (a folder)
    schedule        a run's steps, each when its time has come
    watching        what is looked at meanwhile: sampling (processes, flows, drops), ovs_control asks the switch;
                    netem_links: which links are pinged
    directory       where results are; how an interrupted experiment goes on
    summary         ratios; whether what was expected is so
    surroundings    what the machine lacks
    progress        how far it is, and the time left

    commands        mininetes experiment; api: the same from Python
"""
