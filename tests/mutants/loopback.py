"""Slips in the loopback test: serialwrite/loopback/."""

from .slips import slip

L = "loopback/"
LEDGER = "loopback/check/test_ledger.py"
ARRIVALS = "loopback/measure/test_arrivals.py"
BUDGET = "loopback/measure/test_budget.py"
CONFIDENCE = "loopback/measure/test_confidence.py"
PRBS = "loopback/patterns/test_prbs.py"
CARD = "loopback/card/test_card.py"
PAGE = "loopback/report/test_page.py"
WORDS = "loopback/report/test_words.py"
RUN = "loopback/test_run.py"
NOT_TESTED = "loopback/test_not_tested.py"
COMMAND = "cli/test_loopback.py"

LOOPBACK = [
    # -- the account of each byte -----------------------------------------------------------------------
    slip(
        L + "check/_ledger.py",
        "self.correct += len(got) - (end - same)",
        "self.correct += len(got)",
        LEDGER + "::test_one_flipped_bit_in_a_million_and_its_neighbours",
    ),
    slip(
        L + "check/_ledger.py",
        'if kind != "keep") < wrong:',
        'if kind != "keep") < 0:',
        LEDGER + "::test_a_loss_and_an_insertion_close_by_are_no_corruption",
    ),
    slip(
        L + "check/_ledger.py",
        " + self.log.counts[FaultKind.TRUNCATED]",
        "",
        LEDGER + "::test_nothing_received_and_nothing_sent",
    ),
    slip(
        L + "check/_ledger.py",
        "self._never_came(self._holes.close())",
        "self._holes.close()",
        LEDGER + "::test_blocks_that_arrive_late_repeated_and_never",
        LEDGER + "::test_a_loss_beyond_the_reach_is_measured",
    ),
    slip(
        L + "check/_ledger.py",
        "                self._holes.fill(hole, offset, n)\n",
        "",
        LEDGER + "::test_blocks_that_arrive_late_repeated_and_never",
    ),
    slip(
        L + "check/_ledger.py",
        "                self.correct -= before + after\n",
        "",
        LEDGER + "::test_neighbours_that_begin_alike_and_change_places_add_up",
    ),
    slip(L + "check/_ledger.py", "if n >= CHANCE_MAX_SIZE else -1", "if n >= 1 else -1", LEDGER),
    slip(L + "check/_holes.py", "length >= CHANCE_MAX_SIZE or distance", "distance", LEDGER),
    slip(
        L + "check/_align.py",
        "best = min(best, cost[i - 2][j - 2] + 1)",
        "pass",
        LEDGER + "::test_neighbours_that_change_places_beside_a_loss",
    ),
    slip(L + "check/_align.py", "if here and in_place <= 8:", "if here:", LEDGER),
    slip(
        L + "check/_diagnose.py",
        "max(2, _SHARE_MIN * cause.opportunities)",
        "2",
        LEDGER + "::test_few_faults_make_no_diagnosis",
        LEDGER + "::test_a_real_fault_inside_a_translated_stream_is_still_seen",
    ),
    slip(
        L + "check/_diagnose.py",
        "if flip == 0x80 and not level else",
        "if flip == 0x80 else",
        LEDGER + "::test_translations_are_named",
    ),
    slip(
        L + "check/_settle.py",
        "ledger.correct += min(short, 0)",
        "pass",
        LEDGER + "::test_a_periodic_pattern_says_what_it_cannot_know",
        LEDGER + "::test_a_constant_pattern_knows_totals_only",
    ),
    slip(
        L + "check/_settle.py",
        "        ledger.log.enter(Fault(FaultKind.UNCLAIMED, sent, -short, received + short))\n        ledger.correct += short\n",
        "        ledger.log.enter(Fault(FaultKind.UNCLAIMED, sent, -short, received + short))\n",
        LEDGER + "::test_bytes_nobody_claims",
    ),
    # -- patterns -----------------------------------------------------------------------------------------
    slip(L + "patterns/_prbs.py", "return self.violations / 3", "return self.violations", PRBS),
    slip(
        L + "patterns/_prbs.py",
        "wrong = bits - sums.bit_count() if polynomial.inverted else sums.bit_count()",
        "wrong = sums.bit_count()",
        PRBS,
    ),
    # -- measures -------------------------------------------------------------------------------------------
    slip(L + "measure/_arrivals.py", "            self._behind = True\n", "", ARRIVALS),
    slip(L + "measure/_arrivals.py", "int(time / self._width)] += size", "int(time / self._width)] += 1", ARRIVALS),
    slip(
        L + "measure/_arrivals.py",
        "            heapq.heappop(self._longest)\n",
        "            self._longest.pop()\n",
        ARRIVALS,
    ),
    slip(L + "measure/_confidence.py", "tail = (1 - confidence) / 2", "tail = 1 - confidence", CONFIDENCE),
    slip(L + "measure/_confidence.py", "(count, -1), (count + 1, 1)", "(count, -1), (count, 1)", CONFIDENCE),
    slip(L + "measure/_budget.py", "SLOWNESS_MAX * seconds + around", "seconds + around", BUDGET),
    slip(
        L + "measure/_statistics.py",
        "if len(values) >= 100 else",
        "if len(values) >= 10 else",
        "loopback/measure/test_statistics.py",
    ),
    slip(
        L + "measure/_accounting.py",
        "if right and came == count:",
        "if right:",
        RUN + "::test_a_count_that_lies_is_caught_by_the_accounting_check",
    ),
    slip(
        L + "measure/_accounting.py",
        "count += cut.bytes_transferred",
        "count = cut.bytes_transferred",
        "loopback/test_remote.py",
    ),
    slip(
        L + "measure/_accounting.py",
        "    if stopped.stall is None:\n",
        "    if False:\n",
        NOT_TESTED + "::test_flow_control_of_a_sender_that_still_sent_does_not_pass",
    ),
    slip(
        L + "measure/_accounting.py",
        "if kept_waiting > STARVED_RATIO_MAX * busy:",
        "if False:",
        RUN + "::test_line_2_percent_slow_is_reported_unless_machine_was",
        NOT_TESTED + "::test_baud_rate_is_unknown_where_the_check_says_so",
    ),
    slip(
        L + "measure/_accounting.py",
        "if abs(off) <= BAUD_TOLERANCE_RATIO:",
        "if abs(off) <= 0.05:",
        RUN + "::test_line_2_percent_slow_is_reported_unless_machine_was",
    ),
    slip(
        L + "measure/_wiring.py",
        "            setattr(sender, output, before)\n",
        "            pass\n",
        NOT_TESTED + "::test_check_of_a_line_leaves_it_as_it_was",
    ),
    slip(
        L + "measure/_wiring.py",
        "for level in (True, False, True, False):",
        "for level in (True, True):",
        RUN + "::test_modem_line_of_a_plug_that_does_not_follow_is_named",
    ),
    # -- the run ------------------------------------------------------------------------------------------------
    slip(
        L + "_one_way.py",
        "                        self.sent += error.bytes_transferred\n",
        "",
        RUN + "::test_a_stop_ends_a_write_that_is_stalled_with_its_count",
        RUN + "::test_a_run_by_time_ends_with_an_exact_total",
    ),
    slip(
        L + "_one_way.py",
        "finish(None if cut else self.total)",
        "finish(self.total)",
        BUDGET + "::test_line_slower_than_said_times_out_with_what_came",
        BUDGET + "::test_stop_waits_for_nothing_that_a_stalled_line_holds",
    ),
    slip(
        L + "_one_way.py",
        "                            or self.clock() - moved < longest",
        "                            or True",
        RUN + "::test_a_sender_that_stalls_for_good_is_told_with_its_count",
    ),
    slip(
        L + "_line_test.py",
        "longest.seconds > max_gap:",
        "longest.seconds > 1000:",
        RUN + "::test_a_stall_fails_where_gaps_are_limited",
    ),
    slip(
        L + "_line_test.py",
        "    if not account.sent and not stopped:\n",
        "    if False:\n",
        NOT_TESTED + "::test_nothing_sent_proves_nothing",
    ),
    slip(
        L + "_line_test.py",
        'told = [f"{n:,} {kind}" for kind, n in counts.items() if n]',
        "told = []",
        NOT_TESTED + "::test_errors_that_the_driver_counted_are_a_reason",
    ),
    slip(L + "_result.py", "Verdict.STOPPED: 130}", "Verdict.STOPPED: 0}", PAGE + "::test_verdicts_and_exit_codes"),
    slip(
        L + "_result.py",
        'return 1 + self.data_bits + (self.parity != "N")',
        "return 1 + self.data_bits",
        PAGE + "::test_settings_know_the_line",
    ),
    # -- the card ------------------------------------------------------------------------------------------------
    slip(
        L + "card/_card_measure.py",
        "    if not answers:\n",
        "    if False:\n",
        CARD + "::test_whether_tcdrain_waits_is_measured",
    ),
    slip(L + "card/_card_measure.py", "        if queue > taken:\n", "        if False:\n", CARD),
    slip(L + "card/_card_measure.py", "        if holds:\n            tty.let_output()\n", "        pass\n", CARD),
    # -- the report ---------------------------------------------------------------------------------------------
    slip(
        L + "report/_template.py",
        "autoescape=True",
        "autoescape=False",
        PAGE + "::test_text_from_devices_is_escaped_wherever_it_goes",
        PAGE + "::test_hostile_text_is_hostile",
    ),
    slip(
        L + "report/_template.py",
        "else printable(str(value))",
        "else str(value)",
        PAGE + "::test_text_from_devices_is_escaped_wherever_it_goes",
        PAGE + "::test_hostile_text_is_hostile",
    ),
    slip(L + "report/_words.py", '.startswith("C") and', '.startswith("Cc") and', WORDS),
    slip(
        L + "report/_words.py",
        "        if failed_checks:\n",
        "        if False:\n",
        NOT_TESTED + "::test_failed_check_fails_the_result_of_a_run_that_passed",
    ),
    slip(L + "report/_files.py", "            os.fsync(file.fileno())\n", "", PAGE + "::test_or_not_at_all"),
    slip(
        L + "report/_files.py",
        "    if target.exists() and not target.is_file():\n",
        "    if False:\n",
        PAGE + "::test_a_device_or_a_fifo_is_not_replaced",
    ),
    slip(L + "report/_files.py", "            fresh.unlink()\n", "            pass\n", PAGE + "::test_or_not_at_all"),
    slip(
        L + "report/_junit.py",
        "        elif check.outcome is not Outcome.PASS:",
        "        elif False:",
        NOT_TESTED + "::test_unknown_check_is_skipped_in_junit",
    ),
]
