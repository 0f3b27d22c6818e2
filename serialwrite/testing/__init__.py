"""Tools for tests of serial code: rigs made of ptys, socat, sockets or hardware, and conformance checks of streams."""

from serialwrite import _show_as_public
from serialwrite.testing._answering_stream import (
    AnsweringStream as AnsweringStream,
)
from serialwrite.testing._ends import (
    fill as fill,
    receive as receive,
    receive_available as receive_available,
    receive_only as receive_only,
    send as send,
)
from serialwrite.testing._scripted import (
    BLOCKED as BLOCKED,
    ScriptedNowaitStream as ScriptedNowaitStream,
    ScriptedStream as ScriptedStream,
    Step as Step,
)
from serialwrite.testing._virtual_time import (
    VirtualTime as VirtualTime,
)
from serialwrite.testing.conformance._check import (
    check_read_stream as check_read_stream,
    check_write_stream as check_write_stream,
    clog_by_writing as clog_by_writing,
)
from serialwrite.testing.rigs._answering import (
    Answering as Answering,
)
from serialwrite.testing.rigs._hardware import (
    HardwarePair as HardwarePair,
)
from serialwrite.testing.rigs._lease import (
    PortLease as PortLease,
)
from serialwrite.testing.rigs._net import (
    TcpPair as TcpPair,
    UnixPair as UnixPair,
)
from serialwrite.testing.rigs._pty import (
    Counters as Counters,
    PtyPair as PtyPair,
)
from serialwrite.testing.rigs._rig import (
    End as End,
    PathRig as PathRig,
    Rig as Rig,
    RigUnavailable as RigUnavailable,
)
from serialwrite.testing.rigs._socat import (
    SocatPair as SocatPair,
)
from serialwrite.testing.uart._fault_script import (
    FAULT_SCRIPT_HELP as FAULT_SCRIPT_HELP,
    FaultScriptError as FaultScriptError,
    parse_faults as parse_faults,
)
from serialwrite.testing.uart._injected_faults import (
    Fault as Fault,
    FaultRecord as FaultRecord,
    Rule as Rule,
    random_script as random_script,
    what_arrives as what_arrives,
)
from serialwrite.testing.uart._simulated_uart import (
    SimulatedUart as SimulatedUart,
)

_show_as_public(__name__, globals())
