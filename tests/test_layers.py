"""Imports only go down: the layers of the design, held by the source itself."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "serialwrite"
# Every module, lowest first: "folder: its modules". One imports nothing of its own line, and nothing of a later one.
RANKS = """
    .: _compiled
    .: _build
    .: _absent _buffers _cancellation _errors _ledger _posix _timers
    .: _conditions _cursors _executors _signal_safe
    .: _given_buffers _io_thread
    .: _adapting _deadlines _handler _options _transfer
    .: _direction _operation _until
    .: _adapters _conclude _initiate _tokens
    .: _cancelling _composed _stackful
    .: _quick _spawn _sync
    .: _read _write

    streams: _advice _coroutine _proof
    streams: _methods
    streams/fd: _backoff _bell _epoll_watch _lookout _loop_watch _open_file _standstill _tried
    streams/fd: _blocked _watch
    streams/fd: _pollable_direction
    streams/fd: _pinned_direction
    streams/fd: _buffered_transport _stream
    streams/fd: _descriptor
    streams/fd: _socket

    streams/serial: _holders _interrupted _ports _settings
    streams/serial: _port_lookout
    streams/serial: _no_line
    streams/serial: _device
    streams/serial: _drain _tty
    streams/serial: _close _line_wait _read_back _stall
    streams/serial: _open
    streams/fd: _transport

    streams/serial: _driver
    streams/remote: _telnet
    streams/remote: _com_port _input _tcp_device _connect _link
    streams/remote: _network_line _output
    streams/remote: _connection
    streams/remote: _answers _directions
    streams/remote: _rfc2217_line
    streams/remote: _open_rfc2217 _rfc2217_driver _tcp_port
    streams/remote: _open
    streams/serial: _descriptor_driver
    streams/serial: _spy_driver
    streams/threaded: _backend
    streams/threaded: _kinds _worker
    streams/threaded: _thread_driver

    streams/layers: _layer
    streams/layers: _on_wire
    streams/layers: _on_server
    streams/serial: _line_stream
    streams/serial: _tty_stream
    streams/serial: _pyserial_names
    streams/serial: _choose_driver
    streams/serial: _port
    streams/serial: _async_open

    streams/layers: _port_turn _prompts _surplus _trace_event
    streams/layers: _refill
    streams/layers: _buffered_read
    streams/layers: _trace_files
    streams/layers: _buffered _paced _queued _reconnecting _rs485 _traced
    streams: _adapt
    .: __init__

    testing: _answers _ends _leaks _virtual_time
    testing: _answering_stream _scripted
    testing/conformance: _recorder
    testing/conformance: _case
    testing/conformance: _read_case _rules _write_case
    testing/conformance: _read_rules _write_rules
    testing/conformance: _check
    testing/rigs: _lease _links _pty_end _rig
    testing/rigs: _child _hardware _net _pump
    testing/rigs: _pty
    testing/rigs: _answering _socat
    testing/uart: _injected_faults _uart_settings
    testing/uart: _corruption _fault_script
    testing/uart: _uart_receiver
    testing/uart: _uart_line
    testing/uart: _uart_wire
    testing/uart: _simulated_uart
    testing: __init__

    loopback: _faults
    loopback/patterns: _prbs
    loopback/patterns: _patterns
    loopback/check: _align _fault_log
    loopback/card: _disciplines
    loopback/check: _holes
    loopback/check: _ledger
    loopback/check: _diagnose _settle
    loopback/check: _checker
    loopback/measure: _confidence _loop_lag _statistics
    loopback: _result
    loopback/measure: _arrivals _budget _in_force
    loopback: _line_ends _one_way
    loopback/measure: _accounting _wiring
    loopback/report: _files _words
    loopback: _sink _sweep
    loopback: _line_test
    loopback/card: _machine
    loopback: _run
    loopback/report: _charts _junit _template
    loopback/report: _page
    loopback/card: _card_measure
    loopback/card: _card
    loopback: __init__

    .: labgrid
    lab: _row
    lab: _coordinator _prove _reports
    lab: __init__

    .: pytest_plugin
    cli: _console _line_options _output _resume _source _values
    cli: _endings _loopback_view _reading _sending _steps _trace_option _write_progress
    cli: _write_options _write_report
    cli: _ask_command _demo _loopback _ports _probe_command _read_command _rig_command _write_command
    cli: _lab_command
    cli: _app
    cli: __init__
    .: __main__
"""


def ranks(text):
    lines = [line.split(": ") for line in text.splitlines() if line.strip()]
    return [
        (f"{folder.strip()}/{name}".removeprefix("./"), rank)
        for rank, (folder, names) in enumerate(lines)
        for name in names.split()
    ]


RANK = dict(ranks(RANKS))
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    return str(path.relative_to(PACKAGE).with_suffix(""))


def resolved(module):
    """The file that a dotted name stands for: a module, a package, or what is in one."""
    parts = module.split(".")[1:]
    for size in range(len(parts), -1, -1):
        name = "/".join(parts[:size])
        for found in (name, f"{name}/__init__".removeprefix("/")):
            if found in RANK:
                return found
    raise AssertionError(module)


def imported(path):
    """The modules that the one at ``path`` imports, wherever in it the import stands, for types alone or not."""
    here = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (resolved(name) for name in names if name.split(".")[0] == "serialwrite")


def test_imports_only_go_down():
    assert {
        (mine, name)
        for path in FILES
        for mine in [name_of(path)]
        for name in set(imported(path)) - {mine}
        if RANK[name] >= RANK[mine]
    } == set(), "a module is not above one that it imports"


def test_every_module_has_one_rank():
    modules = {name_of(path) for path in (*FILES, *PACKAGE.rglob("*.pyi")) if path.read_text().strip()}
    assert sorted(modules | {"_ledger"}) == sorted(name for name, _ in ranks(RANKS))


def test_only_one_file_calls_writev():
    assert [
        path.name
        for path in FILES
        if "writev" in {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    ] == ["_descriptor.py"]


def test_the_first_line_says_what_the_file_owns():
    assert [
        path for path in FILES if (text := path.read_text()).strip() and not ast.get_docstring(ast.parse(text))
    ] == []
