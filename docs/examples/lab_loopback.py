"""A lab's line is validated, and a fault that was planted is found at its very byte."""

from serialwrite import loopback
from serialwrite.testing import SimulatedUart


def validate(*ports, **options):
    """Prove a line, and say in one line how it went."""
    result = loopback.run(*ports, bytes_to_send=50_000, **options)
    run = result.runs[0]
    for way in run.directions:
        account = way.account
        print(f"{way.name}: {account.sent:,} sent, {account.received:,} received, {len(account.faults)} wrong")
        for fault in account.faults:
            print(f"  {fault.kind} at byte {fault.offset:,}")
    return result.verdict


# end validate


# begin rigs
def main():
    print(validate(rig="pty").upper())  # at your desk: validate("/dev/ttyUSB0", "/dev/ttyUSB1")
    # prints: port → peer: 50,000 sent, 50,000 received, 0 wrong
    # prints: peer → port: 50,000 sent, 50,000 received, 0 wrong
    # prints: PASS
    with SimulatedUart(None, faults="at byte 20_000: drop 3") as worn_out_cable:
        print(validate(worn_out_cable, both_ways=False, checks=False).upper())
    # prints: port → peer: 50,000 sent, 49,997 received, 1 wrong
    # prints:   lost at byte 20,000
    # prints: FAIL


# end rigs

if __name__ == "__main__":
    main()
