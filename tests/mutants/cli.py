"""Slips in the command line: serialwrite/cli/."""

from .slips import slip

C = "cli/"
SENDING = "cli/test_sending.py"
ENDINGS = "cli/test_write_endings.py"
INPUT = "cli/test_write_input.py"
LINE = "cli/test_write_line.py"
SHOWN = "cli/test_write_output.py"
JSON = "cli/test_write_json.py"
RESUME = "cli/test_resume.py"
READING = "cli/test_reading.py"
READ = "cli/test_read_command.py"
OUTPUT = "cli/test_output.py"
ASK = "cli/test_ask_command.py"
PORTS = "cli/test_ports.py"
RIG = "cli/test_rig_command.py"

CLI = [
    # -- sending ------------------------------------------------------------------------------------------
    slip(C + "_sending.py", "                    rest = rest[n:]\n", "", SENDING),
    slip(C + "_sending.py", "if left == 0 and self.accepted:", "if False:", SENDING),
    slip(
        C + "_sending.py",
        "if error.idle_timeout is None or self.timeouts > self._retries:",
        "if True:",
        ENDINGS + "::test_retries_resume_by_themselves",
    ),
    slip(
        C + "_sending.py",
        "self.timeouts > self._retries:",
        "self.timeouts >= self._retries:",
        ENDINGS + "::test_retries_run_out",
    ),
    slip(
        C + "_sending.py",
        "                if error.bytes_transferred and not over:\n",
        "                if False:\n",
        SENDING + "::test_it_ends_when_the_last_byte_has_left",
        SENDING + "::test_silent_driver_whose_queue_empties_has_not_stalled",
    ),
    slip(
        C + "_sending.py",
        "idle_timeout + gap",
        "idle_timeout",
        LINE + "::test_delays",
        LINE + "::test_a_prompt_before_each_further_line",
    ),
    slip(
        C + "_sending.py",
        "            self._waited += time.monotonic() - began\n",
        "            pass\n",
        ENDINGS + "::test_waiting_for_input_counts_for_no_timeout",
    ),
    slip(
        C + "_source.py",
        "        if offset > length:\n",
        "        if False:\n",
        INPUT + "::test_bad_input_is_2_and_says_what",
        INPUT + "::test_resume_beyond_kernel_file_leaves_port_alone",
    ),
    slip(
        C + "_source.py",
        "        if stat.S_ISDIR(mode):\n",
        "        if False:\n",
        INPUT + "::test_bad_input_is_2_and_says_what",
    ),
    slip(
        C + "_source.py",
        "return max(0, end - self._start) or None",
        "return max(0, end - self._start)",
        INPUT + "::test_size_of_a_kernel_file_is_unknown",
    ),
    # -- endings ------------------------------------------------------------------------------------------
    slip(
        C + "_endings.py",
        "else 128 + self.signal",
        "else 130",
        ENDINGS + "::test_signal_exits_with_128_plus_its_number_and_the_count",
    ),
    slip(
        C + "_endings.py",
        "(sw.Disconnected, sw.EndOfFile) as error",
        "sw.EndOfFile as error",
        ENDINGS + "::test_unplugged_is_4_and_counts_what_the_device_got",
    ),
    slip(
        C + "_endings.py",
        "if signal.getsignal(number) is not signal.SIG_IGN:",
        "if True:",
        ENDINGS + "::test_a_signal_that_was_ignored_stays_so",
    ),
    slip(
        C + "_write_command.py",
        "if report.outcome is Outcome.COMPLETE else ClosePolicy.DISCARD",
        "",
        LINE + "::test_failed_write_drops_what_is_queued_a_whole_one_sends_it",
    ),
    slip(
        C + "_write_report.py",
        "return self.resume_from + self.accepted - (self.unsent or 0)",
        "return self.resume_from + self.accepted",
        SENDING + "::test_a_resume_begins_before_what_closing_threw_away",
    ),
    slip(
        C + "_write_report.py",
        "return self.resume_from + self.accepted - (self.unsent or 0)",
        "return self.accepted - (self.unsent or 0)",
        RESUME + "::test_stall_after_stall_resumed_to_the_end",
    ),
    slip(
        C + "_write_report.py",
        "self.outcome not in {Outcome.COMPLETE, Outcome.NOT_STARTED}",
        "self.outcome is not Outcome.COMPLETE",
        JSON + "::test_not_started",
    ),
    slip(
        C + "_resume.py",
        ' or name == "resume_from":',
        ":",
        RESUME + "::test_stall_after_stall_resumed_to_the_end",
        RESUME + "::test_a_resume_keeps_every_option_as_it_was_given",
    ),
    slip(
        C + "_resume.py",
        '        return [*command, *options, "--", *arguments]\n',
        "        pass\n",
        RESUME + "::test_a_file_named_like_an_option",
    ),
    slip(
        C + "_resume.py",
        "        return negations[:1]\n",
        "        return []\n",
        RESUME + "::test_options_of_every_kind",
    ),
    # -- reading ------------------------------------------------------------------------------------------
    slip(C + "_reading.py", "1 if known > LONGEST_MATCH else 0", "0", READING),
    slip(C + "_reading.py", "window[-LONGEST_MATCH - 1 :]", 'b""', READING),
    slip(C + "_reading.py", "            self._left -= here\n", "", READING),
    slip(
        C + "_reading.py",
        "        self.surplus = len(data) - end\n",
        "",
        READING + "::test_ends_at_first_limit_and_counts_surplus",
        READING + "::test_summary_counts_what_came_behind_the_end",
    ),
    slip(C + "_reading.py", "piece[: self._most - self.count]", "piece[: self._most]", READING),
    slip(C + "_reading.py", "        if left == 0:", "        if False:", READING),
    # -- output -------------------------------------------------------------------------------------------
    slip(
        C + "_output.py",
        "self.failed = not isinstance(error, BrokenPipeError)",
        "self.failed = True",
        OUTPUT + "::test_write_goes_on_when_output_fails",
        READ + "::test_reader_that_leaves_is_0",
    ),
    slip(
        C + "_output.py",
        "elif self._writer.pending > PENDING_MAX_SIZE:",
        "elif False:",
        OUTPUT + "::test_terminal_that_takes_nothing_is_given_up_and_named",
    ),
    slip(
        C + "_output.py",
        "                if n is None:",
        "                if False:",
        OUTPUT + "::test_output_that_blocks_is_waited_for_and_gets_every_byte",
    ),
    slip(
        C + "_output.py",
        "                    rest = rest[n:]\n",
        "                    rest = rest[:0]\n",
        OUTPUT + "::test_output_that_blocks_is_waited_for_and_gets_every_byte",
    ),
    # -- the other commands --------------------------------------------------------------------------------
    slip(
        C + "_ask_command.py",
        "                    if self.attempts > self.retries:\n",
        "                    if True:\n",
        ASK + "::test_retries_send_again",
    ),
    slip(
        C + "_ask_command.py", "        del self.reply[end:]\n", "", ASK + "::test_reply_is_printed_up_to_the_pattern"
    ),
    slip(
        C + "_ask_command.py",
        "        self.reply.clear()\n",
        "",
        ASK + "::test_reply_to_a_retry_has_nothing_of_the_try_before",
    ),
    slip(
        C + "_ask_command.py",
        "and query.sent == len(query.data):",
        "and False:",
        ASK + "::test_no_reply_is_3_and_tells_what_came",
    ),
    slip(C + "_steps.py", "        self.untrue += not holds\n", "", "cli/test_demo.py" + "::test_a_lie_is_found_out"),
    slip(
        C + "_values.py",
        "not (value >= 0 and math.isfinite(value))",
        "value < 0",
        INPUT + "::test_bad_input_is_2_and_says_what",
        READ + "::test_bad_usage_is_2",
    ),
    slip(
        C + "_ports.py",
        'Text(printable(cell or ""))',
        'Text(cell or "")',
        PORTS + "::test_a_table_with_nothing_in_it_that_a_terminal_would_obey",
    ),
    slip(
        C + "_rig_command.py",
        "if kind is not Kind.UART and (baud is not None or fault or seed is not None):",
        "if False:",
        RIG + "::test_bad_words_are_refused",
    ),
    slip(
        C + "_rig_command.py",
        "    return code if code >= 0 else 128 - code\n",
        "    return code\n",
        RIG + "::test_a_command_that_a_signal_ends",
    ),
    slip(C + "_rig_command.py", "            self._faults = len(log)\n", "", RIG + "::test_a_fault_is_said_once"),
]
