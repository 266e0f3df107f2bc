"""How often the method is wrong, and how often it finds what is there.

`python -m benchmarks.calibration` simulates shops of three families, plants links or none, runs
`udfs.lead_lag` on them as `analyse` and the warehouse do, and prints each measured rate beside its
goal with one-sided 95 % Clopper-Pearson bounds; the usual ways are run on the same data, and a
placebo on real series where SOCIAL_SIGNALS_SHARED names their folder.
"""
