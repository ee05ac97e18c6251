"""Results of experiments for people: tables, plots, one page, and two results side by side.

    writing          results.json in; claims, results.csv, plots and report.html beside it
    commands         mininetes experiment report, mininetes experiment compare

    result           what results.json holds; decoding makes dataclasses of it
    summary          runs of one arm with the same parameters: median and spread, without those that are invalid
    claims           what the data say, in sentences
    comparison       two results, figure by figure: whether they differ by more than repetitions do
    units            values with units, as people read them

    table            one line per run and value: results.csv
    page             report.html; markup is its elements, sections what stands in it
    drawing          all plots of a result; plots is how

Everything here but `writing` and `commands` is a function of the result alone: the same results.json, the same bytes.
"""

from experiments.reports.writing import write

__all__ = ["write"]
