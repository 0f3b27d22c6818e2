"""Schedules of writes in virtual time, each from a seed, and what must hold of them: `python -m tests.explorer 100_000`.

schedule   one seed: a line, writes that overlap, fail, stall, time out and are cancelled, and the promises of each
"""
