"""Rigs for tests of serial code: two ends of a line, made of ptys, socat, sockets or real hardware."""

from serialwrite.testing._ends import (
    fill as fill,
    receive as receive,
    receive_available as receive_available,
    send as send,
)
from serialwrite.testing._fault_script import FaultScriptError as FaultScriptError, parse_faults as parse_faults
from serialwrite.testing._faults import (
    Fault as Fault,
    FaultRecord as FaultRecord,
    Rule as Rule,
    random_script as random_script,
    what_arrives as what_arrives,
)
from serialwrite.testing._hardware import HardwarePair as HardwarePair
from serialwrite.testing._net import TcpPair as TcpPair, UnixPair as UnixPair
from serialwrite.testing._pty import Counters as Counters, PtyPair as PtyPair
from serialwrite.testing._rig import End as End, PathRig as PathRig, Rig as Rig, RigUnavailable as RigUnavailable
from serialwrite.testing._simulated_uart import SimulatedUart as SimulatedUart
from serialwrite.testing._socat import SocatPair as SocatPair
