"""Plots of a result: every run a point, medians beside them, one colour and one marker per arm everywhere.

    style            colours, markers, what an invalid run looks like, the form of all plots; SVG and PNG
    panels           axes that start at zero or are logarithmic and say so; which panels a plot has
    quantities       one figure: along a swept parameter, or row by row
    ratios           pairs of runs as ratios, beside the line of no difference
    times            samples and series over time, with the faults that happened meanwhile

This folder is the one door to matplotlib, which takes a second to import: nobody imports it before there is something
to draw.
"""
