"""The soak: many streams at once, for as long as one likes, with faults and cancels at random. Run ``make soak``.

account    of one line: what was reported as accepted, and what came, compared byte by byte as it comes
kinds      the lines: every kind of stream that the tests of streams run on, and simulated UARTs with faults
stops      the ways in which a write is ended before it is done
worker     what happens on a line in its life: writes, the ways in which they end, and how the line itself does
"""
