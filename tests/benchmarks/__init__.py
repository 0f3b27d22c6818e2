"""The benchmarks: every contestant interleaved in one run, each in a process of its own. Run ``make bench``.

workloads      what is to be done: W1 to W6, and to be imported
contestants/   who does it: one class a library
links          the two ends: socketpairs and ptys
drain, native  the far end, which verifies every byte; C where there is a compiler
worker, meter  inside a contestant's process
quiet          pins the two processes, and waits until the machine has nothing else to do
process        one process of a run
runner         rounds
summary        medians, ratios, spread, fitted exponents
targets        what was aimed at, and whether it was reached
table, plot    how it is shown
"""
