"""Slips in the tools for tests: serialwrite/testing/ and the pytest plugin."""

from .slips import slip

T = "testing/"
CONFORMANCE = "contract/test_conformance.py"
SCRIPTED = "testing/test_scripted.py"
ANSWERING = "testing/test_answering.py"
ENDS = "testing/test_ends.py"
SCRIPT = "testing/uart/test_fault_script.py"
UART = "testing/uart/test_simulated_uart.py"
RIGS = "testing/rigs/test_rig.py"
PTY = "testing/rigs/test_pty.py"
SOCAT = "testing/rigs/test_socat.py"
NET = "testing/rigs/test_net_and_hardware.py"
PLUGIN = "test_pytest_plugin.py"

TESTING = [
    # -- streams that follow a script or a rule ---------------------------------------------------------------
    slip(T + "_scripted.py", "                timer.cancel()\n", "                pass\n", SCRIPTED),
    slip(T + "_scripted.py", "self._script.appendleft(Step(error=step.error))", "pass", SCRIPTED),
    slip(T + "_scripted.py", "        self.asked.append(len(data))\n", "", SCRIPTED),
    slip(T + "_scripted.py", "            handler.cancellation_slot.clear()\n", "", SCRIPTED),
    slip(
        T + "_virtual_time.py",
        "return (self.due, self.number) < (other.due, other.number)",
        "return self.due < other.due",
        SCRIPTED,
    ),
    slip(T + "_virtual_time.py", "            if ran >= limit:\n", "            if False:\n", SCRIPTED),
    slip(T + "_virtual_time.py", "            self._now = max(self._now, until)\n", "            pass\n", SCRIPTED),
    slip(T + "_answers.py", "key=lambda one: one[0].end()", "key=lambda one: one[0].start()", ANSWERING),
    slip(T + "_answers.py", "        yield several[-1]\n", '        yield b""\n', ANSWERING),
    slip(T + "_answers.py", "self.pending = self.pending[match.end() :]", 'self.pending = b""', ANSWERING),
    slip(
        T + "_answering_stream.py",
        '                raise StreamBusy(self, "read")\n',
        "                pass\n",
        ANSWERING,
    ),
    slip(T + "_answering_stream.py", "        self._said.clear()\n", "", ANSWERING),
    slip(T + "_ends.py", "chunk[total % len(chunk) :]", "chunk", ENDS, RIGS),
    slip(
        T + "_ends.py",
        "        if not chunk:\n            raise EOFError",
        "        if False:\n            raise EOFError",
        ENDS,
    ),
    slip(T + "_ends.py", "    more = receive_available(end, quiet)\n", '    more = b""\n', ENDS),
    # -- the conformance suites ---------------------------------------------------------------------------------
    slip(
        T + "conformance/_recorder.py",
        "        if self._initiating:\n",
        "        if False:\n",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    slip(
        T + "conformance/_recorder.py",
        "elif self.signal.slot.has_handler:",
        "elif False:",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    slip(
        T + "conformance/_recorder.py",
        "        if ran < could / 10:",
        "        if True:",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    slip(
        T + "conformance/_recorder.py",
        "require(times == 1,",
        "require(times >= 1,",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    slip(
        T + "conformance/_recorder.py",
        "require(took < 1,",
        "require(True,",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    slip(
        T + "conformance/_write_case.py",
        "require(found == expected,",
        "require(len(found) == len(expected),",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    slip(
        T + "conformance/_rules.py",
        "            data.append(0)  # BufferError",
        "            # BufferError",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    slip(
        T + "conformance/_rules.py",
        "        require(took < case.timeout,",
        "        require(True,",
        CONFORMANCE + "::test_a_broken_stream_fails_with_the_rule_that_it_breaks",
    ),
    # -- the simulated line ---------------------------------------------------------------------------------------
    slip(
        T + "uart/_uart_line.py",
        "            self._free_at = max(self._free_at, now)  # a pause",
        "            pass  # a pause",
        UART + "::test_a_pause_is_not_saved_up_as_line_time",
        UART + "::test_a_stall_before_the_first_byte_is_not_saved_up_either",
    ),
    slip(
        T + "uart/_uart_line.py",
        "kept = min(n, self.receiver.room)",
        "kept = n",
        UART + "::test_without_flow_control_a_peer_that_does_not_read_overruns",
    ),
    slip(
        T + "uart/_uart_line.py",
        '            self._record("lost", lost)\n',
        "",
        RIGS + "::test_nothing_is_accepted_between_the_last_read_and_the_close",
        UART + "::test_unplug_and_plug_under_the_same_path",
        UART + "::test_hang_up_ends_the_write_and_the_path_opens_again",
    ),
    slip(
        T + "uart/_uart_line.py",
        "            self.source.hold_output()\n\n    def sender_gone",
        "            pass\n\n    def sender_gone",
        UART + "::test_eagain_comes_where_a_real_driver_says_it",
    ),
    slip(
        T + "uart/_uart_line.py",
        "            if now < self._impatient_at:\n                return False\n",
        "",
        UART + "::test_a_fault_of_several_bytes_waits_for_them",
    ),
    slip(
        T + "uart/_uart_line.py",
        "self._wire.later(seconds, lambda: self._silences.discard(why))",
        "pass",
        UART + "::test_a_stall_holds_all_that_comes_after",
    ),
    slip(
        T + "uart/_uart_receiver.py",
        "self._run_on = max(0, self._run_on - n)",
        "pass",
        UART + "::test_a_throttled_sender_still_sends_its_fifo",
    ),
    slip(
        T + "uart/_uart_receiver.py",
        "if len(self.buffer) <= self._settings.low_water:",
        "if False:",
        UART + "::test_flow_control_loses_nothing_to_a_peer_that_does_not_read",
    ),
    slip(
        T + "uart/_corruption.py",
        "    if not input_flags & termios.INPCK:\n        return byte\n",
        "",
        SCRIPT + "::test_what_a_tty_makes_of_line_errors",
        UART + "::test_parity_errors_are_what_the_readers_settings_say",
    ),
    slip(
        T + "uart/_fault_script.py",
        '(1000 if words["unit"] == "ms" else 1)',
        "1",
        SCRIPT + "::test_a_rule_is_read_and_written_back",
    ),
    slip(
        T + "uart/_fault_script.py",
        "        parse_faults(str(rule))\n",
        "",
        UART + "::test_bad_arguments_are_named",
    ),
    slip(
        T + "uart/_injected_faults.py",
        "(offset + 1 + self._gap(index), index)",
        "(offset + self._gap(index), index)",
        SCRIPT + "::test_every_and_at_strike_where_they_say",
    ),
    slip(
        T + "uart/_injected_faults.py",
        'and record.kind != "lost by the receiver":',
        ":",
        SCRIPT + "::test_what_arrives_applies_the_log",
    ),
    slip(
        T + "uart/_injected_faults.py",
        "            return rule.every - 1\n",
        "            return rule.every\n",
        SCRIPT + "::test_every_and_at_strike_where_they_say",
    ),
    # -- rigs -------------------------------------------------------------------------------------------------------
    slip(
        T + "rigs/_pump.py",
        "            self._held = self._held[n:]\n",
        '            self._held = memoryview(b"")\n',
        PTY + "::test_stall_holds_one_direction_and_resume_delivers_all",
        RIGS + "::test_peer_that_does_not_read_stops_the_writer_without_loss",
    ),
    slip(
        T + "rigs/_pump.py",
        "not self.stalled and not self._held\n",
        "not self.stalled\n",
        PTY + "::test_stalled_peer_stops_the_writer_after_some_kilobytes",
        PTY + "::test_stall_holds_one_direction_and_resume_delivers_all",
        RIGS + "::test_peer_that_does_not_read_stops_the_writer_without_loss",
    ),
    slip(
        T + "rigs/_pty.py",
        "                lane.take_all()\n",
        "",
        PTY + "::test_what_was_accepted_before_a_hang_up_still_arrives",
    ),
    slip(
        T + "rigs/_net.py",
        "        if source == address:\n",
        "        if True:\n",
        NET + "::test_tcp_takes_only_its_own_connection",
    ),
    slip(
        T + "rigs/_lease.py",
        "self._paths = sorted({_place(path) for path in paths})",
        "self._paths = [_place(path) for path in paths]",
        PLUGIN + "::test_a_lease_is_for_one_and_says_who_has_it",
    ),
    slip(
        T + "rigs/_lease.py",
        "found.st_mode & 0o022",
        "False",
        PLUGIN + "::test_a_folder_of_leases_that_is_not_ours_alone_is_refused",
    ),
    # -- the plugin ---------------------------------------------------------------------------------------------------
    slip(
        "pytest_plugin.py",
        "        made.pop().close()",
        "        made.pop()",
        PLUGIN + "::test_what_simulated_uart_made_is_closed_after_the_test",
    ),
    slip(
        "pytest_plugin.py",
        "[port] if peer is None else [port, peer]",
        "[port]",
        PLUGIN + "::test_the_peer_of_a_real_port_is_leased_too",
    ),
    slip(
        "pytest_plugin.py",
        "        pytest.fail(str(missing), pytrace=False)",
        "        pytest.skip(str(missing))",
        PLUGIN + "::test_a_rig_that_this_machine_does_not_have_is_no_silent_skip",
    ),
    slip("pytest_plugin.py", "        pytest.skip(NO_PORT_REASON)", "        pass", PLUGIN),
    slip(
        "pytest_plugin.py",
        'if config.getoption("--serial-leak-check") or config.getini(LEAK_FIXTURE):',
        'if config.getoption("--serial-leak-check"):',
        PLUGIN + "::test_the_leak_check_is_for_those_who_ask",
    ),
    slip(
        "pytest_plugin.py",
        'config.getoption("--serial-peer") and not',
        "False and not",
        PLUGIN + "::test_a_peer_without_a_port_is_refused",
    ),
    slip(
        "pytest_plugin.py",
        'report.sections.append(("simulated UART", said))',
        "pass",
        PLUGIN + "::test_a_failure_says_the_seed_and_what_happened",
    ),
    slip(
        "pytest_plugin.py",
        'baudrate=request.config.getoption("--serial-baud")',
        "baudrate=1200",
        PLUGIN + "::test_real_ports_by_option",
    ),
    slip(
        T + "_leaks.py",
        '*(f"thread {thread.name}" for thread in self.threads - before.threads),',
        "",
        PLUGIN + "::test_the_leak_check_is_for_those_who_ask",
        "test_conftest.py",
    ),
]
