"""Slips in the library, each with the tests that find it: what shows that the tests would notice.

``core`` and ``streams`` are the lists, ``slips`` is what they are made of, ``python -m tests.mutants`` plants them.
"""
