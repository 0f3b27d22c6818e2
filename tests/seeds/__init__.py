"""Seeded runs on real ptys and sockets, through a simulated UART that goes wrong: `python -m tests.seeds 1000`.

entries    what is written to: a port, or a socket whose far side feeds the port, as a serial server does
faults     what goes wrong at which byte, and whether an account that knows nothing of it finds just that
run        one seed: a payload written in spite of stops, hang-ups and faults
"""
