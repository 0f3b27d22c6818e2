"""ProofLevel: how far a byte is proved to have come, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias


class ProofLevel(StrEnum):
    """How far a byte has come, from the weakest claim to the strongest. ``bytes_transferred`` counts the first."""

    ACCEPTED = "accepted"
    """The operating system has taken it."""
    ACKNOWLEDGED = "acknowledged"
    """The other machine's TCP has it; whether anybody reads it there is not known."""
    SERVED = "served"
    """The other machine's server has taken it from its connection, and given it to its serial port."""
    DRAINED = "drained"
    """It has left the driver's queue. The hardware may have a few bytes still."""
    TRANSMITTED = "transmitted"
    """It has left the shift register: it was on the wire."""
    CONFIRMED = "confirmed"
    """It came back over a loopback, or an answer says so. No stream can know that by itself."""


UNKNOWN = "unknown"

ProofLevels: TypeAlias = Mapping[ProofLevel, str]
"""What proves each level that applies to a stream: a system call, or "unknown" where it can't know."""


def strongest_proof(stream: Any, /) -> ProofLevel:
    """The strongest level that ``stream`` can prove. A stream that says nothing can prove "accepted"."""
    levels: ProofLevels = getattr(stream, "proof_levels", {})
    return max(
        (level for level, proof in levels.items() if proof != UNKNOWN),
        key=list(ProofLevel).index,
        default=ProofLevel.ACCEPTED,
    )
