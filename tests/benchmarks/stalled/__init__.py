"""What each library does when a write times out because the peer has stopped reading. Run ``make peers``.

libraries   who takes part: one class each, used as its own documentation shows
worker      what a library's process is made to do: one process for each scenario
far_end     the other end of its line, and the truth: what the process had given to the system, and what came later
findings    one library, all scenarios, in words
__main__    the table, which is the README's
"""
