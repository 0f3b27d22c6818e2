"""Slips in the streams, serialwrite/streams, and in what stands on them."""

from .slips import slip

FD, SERIAL, THREADED, LAYERS, REMOTE = (f"streams/{name}/" for name in ("fd", "serial", "threaded", "layers", "remote"))
TELNET = "streams/remote/test_telnet.py"
RFC2217 = "streams/remote/test_open_rfc2217.py::"
BUFFERED = "streams/fd/test_buffered_transport.py"
POLLABLE = "streams/fd/test_stream.py"
WATCH = "streams/fd/test_watch.py"
HANG_UP = "streams/fd/test_transport.py::test_a_hang_up_that_the_transport_has_seen_first"
DESCRIPTOR = "streams/fd/test_descriptor.py"
ADAPT = "streams/test_adapt.py"
PACED = "streams/layers/test_paced.py"
TRACED = "streams/layers/test_traced.py"
WIRE = "streams/layers/test_on_wire.py"
BLOCKING = "streams/threaded/test_thread_driver.py"
CLOSING = "streams/serial/test_close.py"
DRAIN = "streams/serial/test_drain.py"
QUEUED = "streams/layers/test_queued.py"
PORTS = "streams/serial/test_ports.py"
RECONNECTING = "streams/layers/test_reconnecting.py"
LINES = "streams/serial/test_line_wait.py"
NAMES = "streams/serial/test_pyserial_names.py::"
MANY = "test_buffers.py::test_more_buffers_than_the_kernel_takes_at_once"
SIGPIPE = "streams/fd/test_stream.py::test_a_peer_that_has_gone_raises_no_sigpipe"

STREAMS = [
    # -- descriptors ------------------------------------------------------------------------------------
    slip(FD + "_descriptor.py", "    window = buffers[:MAX_BUFFER_COUNT]", "    window = buffers", MANY),
    slip(FD + "_descriptor.py", "buffers[:MAX_BUFFER_COUNT], (), FLAGS)", "buffers, (), FLAGS)", MANY),
    slip(FD + "_descriptor.py", 'NO_SIGPIPE: int = getattr(socket, "MSG_NOSIGNAL", 0)', "NO_SIGPIPE: int = 0", SIGPIPE),
    slip(
        FD + "_descriptor.py",
        "    if any(map(len, buffers)):\n        raise BlockingIOError",
        "    if False:\n        raise BlockingIOError",
        POLLABLE,
    ),
    slip(
        FD + "_descriptor.py",
        "        return n\n    if not stat.S_ISCHR",
        "        return n\n    if stat.S_ISCHR",
        POLLABLE,
    ),
    slip(FD + "_descriptor.py", 'raise OSError(errno.EIO, "hung up")', "raise EndOfFile", POLLABLE),
    slip(
        FD + "_descriptor.py", "    weakref.finalize(owner, made.detach)\n", "", DESCRIPTOR, ADAPT, "test_executors.py"
    ),
    slip(FD + "_open_file.py", "status.st_ino == self._inode", "True", DESCRIPTOR, ADAPT),
    slip(FD + "_open_file.py", "and (self._mark is None or", "and (True or", DESCRIPTOR),
    slip(FD + "_open_file.py", "        if os.get_blocking(fd):  #", "        if False:  #", DESCRIPTOR),
    slip(FD + "_open_file.py", "            self._was_blocking = True\n", "            pass\n", DESCRIPTOR),
    slip(FD + "_open_file.py", "        os.set_blocking(self._fd, True)", "        pass", DESCRIPTOR),
    slip(FD + "_open_file.py", "        if there and self._streams <= 0:", "        if there:", DESCRIPTOR),
    slip(
        FD + "_socket.py",
        "return self._send_at_once(buffers) if sock.gettimeout() else send_some(sock, buffers)",
        "return send_some(sock, buffers)",
        POLLABLE,
    ),
    slip(FD + "_socket.py", "return self._send_at_once((data,)) if sock.gettimeout() else", "return", POLLABLE),
    slip(
        FD + "_socket.py",
        "        if n == 0:\n            raise EndOfFile\n",
        "",
        "streams/fd/test_transport.py",
        "test_read.py",
    ),
    slip(FD + "_socket.py", 'if hasattr(sock, "context"):', "if False:", "contract/test_bad_input.py"),
    # -- readiness --------------------------------------------------------------------------------------
    slip(
        FD + "_pollable_direction.py",
        "            self.budget = FAIR_BUDGET_BYTES  #",
        "            pass  #",
        "test_quick.py",
    ),
    slip(
        FD + "_pollable_direction.py",
        "        self.budget -= n + OPERATION_COST_BYTES",
        "        self.budget -= 0",
        "contract/test_rules.py::test_rule_9_fair",
        "contract/test_rules.py::test_rule_7_the_fast_path_is_kept_for_one_writer_too",
    ),
    slip(
        FD + "_pollable_direction.py",
        "            if not self._left_behind():\n                raise",
        "            if False:\n                raise",
        "contract/test_rules.py::test_rule_7_one_write_at_a_time",
    ),
    slip(
        FD + "_pollable_direction.py",
        "        if user is not None:\n            user.detach()\n",
        "",
        "contract/test_loops_that_are_over.py",
    ),
    slip(
        FD + "_backoff.py",
        "        self.lies += 1\n",
        "",
        "contract/test_rules.py::test_rule_8_readiness_that_lies_backs_off_and_comes_back",
    ),
    slip(
        FD + "_pollable_direction.py",
        "            self._step = None  # the watcher stays",
        "            pass  # the watcher stays",
        "contract/test_rules.py::test_rule_5_an_emit_in_a_condition_ends_a_blocked_write_once",
    ),
    slip(
        FD + "_pollable_direction.py",
        "        else:\n            self.user.end_with(error)",
        "",
        "contract/test_rules.py::test_rule_2_a_condition_that_closes_the_stream_ends_it_once",
    ),
    slip(
        FD + "_blocked.py",
        "LONGEST_POLL_S if heard else LOOK_INTERVAL_S",
        "LONGEST_POLL_S",
        "streams/fd/test_lookout.py",
    ),
    slip(
        FD + "_pollable_direction.py",
        "            self.user.end_with(error)\n            self.wake_blocked()",
        "            self.user.end_with(error)",
        "streams/fd/test_lookout.py",
    ),
    slip(
        FD + "_pollable_direction.py",
        "        self.wake_blocked()\n        if self._loop",
        "        if self._loop",
        "streams/fd/test_lookout.py",
    ),
    slip(
        SERIAL + "_port.py",
        "            notify_when_closed(",
        "            (lambda *_: None)(",
        "streams/fd/test_lookout.py",
    ),
    slip(
        FD + "_pollable_direction.py", "        except PermissionError:  #", "        except LookupError:  #", POLLABLE
    ),
    slip(
        FD + "_pollable_direction.py",
        "Disconnected(errno.EPIPE) if self._hung_up and",
        "Disconnected() if False and",
        POLLABLE,
    ),
    slip(FD + "_pollable_direction.py", "            self._hung_up = True\n", "", POLLABLE),
    slip(
        FD + "_pollable_direction.py",
        "            if not self._stream.is_open:  #",
        "            if False:  #",
        HANG_UP,
    ),
    slip(
        FD + "_pollable_direction.py",
        "        if hung_up:\n            self._watch.disarm()  #",
        "        if False:\n            pass  #",
        WATCH + "::test_a_hang_up_that_is_not_seen_by_a_try_does_not_spin",
    ),
    slip(
        FD + "_pollable_direction.py",
        "            self._watch.rest(self._ready)",
        "            self._watch.disarm()",
        WATCH + "::test_a_hang_up_ends_a_pause",
    ),
    slip(
        FD + "_pollable_direction.py",
        "        if loop is not self._loop or self._waits_in != os.getpid():",
        "        if self._watch is None:",
        WATCH + "::test_a_wait_in_the_next_loop_of_its_thread",
    ),
    # -- the watches ------------------------------------------------------------------------------------
    slip(
        FD + "_epoll_watch.py",
        "            if self.armed:\n                return  #",
        "            if self.armed:\n                pass  #",
        WATCH + "::test_a_report_of_the_wait_before_is_dropped",
    ),
    slip(
        FD + "_epoll_watch.py",
        "        events = 0 if len(watches) == 1 and watches[0].stays else ONCE\n",
        "        events = 0\n",
        WATCH + "::test_one_direction_cancelled_the_other_waits_on",
    ),
    slip(
        FD + "_epoll_watch.py",
        "others if watch in others else (*others, watch)",
        "(watch,)",
        WATCH + "::test_reading_and_writing_wait_at_once",
    ),
    slip(
        FD + "_epoll_watch.py",
        "            self._epoll.register(fd, events)\n        self._watches[fd] = (watch,)",
        "            pass\n        self._watches[fd] = (watch,)",
        WATCH + "::test_a_cancelled_wait_leaves_no_entry_and_can_be_repeated",
    ),
    slip(
        FD + "_pollable_direction.py",
        "            self._goes_on = True\n",
        "",
        WATCH + "::test_an_operation_of_many_steps_arms_twice",
    ),
    slip(
        FD + "_epoll_watch.py",
        "                self._epoll.unregister(fd)  #",
        "                self._modify(fd, 0)  #",
        WATCH + "::test_a_cancelled_wait_leaves_no_entry_and_can_be_repeated",
    ),
    slip(
        FD + "_epoll_watch.py",
        "            if watches:\n                self._set(fd, watches)",
        "            if False:\n                pass",
        WATCH + "::test_one_direction_cancelled_the_other_waits_on",
    ),
    slip(
        FD + "_epoll_watch.py",
        "        if self.made_by != os.getpid():\n            return",
        "        if False:\n            return",
        WATCH + "::test_a_forked_child_takes_no_report_from_its_parent",
    ),
    slip(
        FD + "_epoll_watch.py",
        "reactor is not None and reactor.made_by == os.getpid():",
        "reactor is not None:",
        WATCH + "::test_a_forked_child_takes_no_report_from_its_parent",
    ),
    slip(
        FD + "_epoll_watch.py",
        "known is None or known.made_by != os.getpid():",
        "known is None:",
        WATCH + "::test_a_forked_child_takes_no_report_from_its_parent",
    ),
    slip(
        FD + "_epoll_watch.py",
        "        del self  #",
        "        pass  #",
        WATCH + "::test_no_descriptor_outlives_its_loop",
    ),
    slip(
        FD + "_epoll_watch.py",
        "            for watch, hung_up in rest:  #",
        "            for watch, hung_up in ():  #",
        WATCH + "::test_a_handler_that_raises_takes_no_report_from_others",
    ),
    slip(
        FD + "_epoll_watch.py",
        "                if hung_up or events & watch.awaited:",
        "                if True:",
        WATCH + "::test_one_direction_is_not_tried_when_the_other_is_ready",
    ),
    slip(
        FD + "_epoll_watch.py",
        "                if hung_up or events & watch.awaited:",
        "                if events & watch.awaited:",
        POLLABLE,
    ),
    slip(
        FD + "_epoll_watch.py",
        "            if others:\n                self._restore",
        "            if False:\n                self._restore",
        WATCH + "::test_reading_and_writing_wait_at_once",
    ),
    slip(FD + "_epoll_watch.py", "            self._epoll.close()\n            raise", "            raise", POLLABLE),
    slip(
        FD + "_epoll_watch.py",
        "            context.run(ready, hung_up)",
        "            ready(hung_up)",
        WATCH + "::test_a_handler_runs_in_the_context_that_it_was_given_in",
    ),
    slip(
        FD + "_epoll_watch.py",
        "            Context().run(loop.add_reader, ",
        "            loop.add_reader(",
        "streams/fd/test_watch.py::test_what_first_waits_leaves_no_context_behind",
    ),
    slip(
        FD + "_epoll_watch.py",
        "        if self.armed and fd != self._fd:",
        "        if False:",
        WATCH + "::test_a_rest_whose_number_has_changed_leaves_no_entry",
    ),
    slip(
        FD + "_loop_watch.py",
        "self._fd = os.dup(number()) if self._fd is None else self._fd",
        "self._fd = os.dup(number())",
        WATCH + "::test_a_rest_whose_number_has_changed_leaves_no_entry",
    ),
    slip(
        FD + "_loop_watch.py",
        "            self.disarm()\n            raise",
        "            raise",
        WATCH + "::test_a_watch_that_the_loop_refuses_keeps_no_descriptor",
    ),
    slip(
        FD + "_loop_watch.py",
        "            ready(hung_up(self._fd))",
        "            ready(False)",
        WATCH + "::test_a_transport_that_closes_itself_for_its_peer_disconnects",
    ),
    slip(
        FD + "_loop_watch.py",
        "    return bool(poller.poll(0))",
        "    return False",
        "streams/fd/test_transport.py",
        WATCH + "::test_a_hang_up_that_is_not_seen_by_a_try_does_not_spin",
    ),
    slip(
        "testing/_leaks.py",
        "            self.descriptors.pop(fd, None)",
        "            pass",
        WATCH + "::test_the_leak_check_knows_what_is_the_loops",
    ),
    slip(
        FD + "_pinned_direction.py",
        "return NOWHERE if loop is None or loop.is_closed() else self._idle_thread",
        "return self._idle_thread",
        "contract/test_loops_that_are_over.py",
    ),
    slip(
        FD + "_lookout.py",
        "            if one.waiting:\n                one.look()",
        "            if one.waiting:\n                pass",
        "streams/fd/test_lookout.py",
    ),
    slip(
        FD + "_lookout.py",
        "Context().run(loop.call_later, ",
        "loop.call_later(",
        "streams/fd/test_watch.py::test_what_first_waits_leaves_no_context_behind",
    ),
    slip(
        FD + "_blocked.py",
        "        if moved or self.bell is None:  #",
        "        if self.bell is None:  #",
        "streams/fd/test_blocked.py",
    ),
    slip(
        FD + "_lookout.py", "loop is not None and not self._armed:", "loop is not None:", "streams/fd/test_lookout.py"
    ),
    slip(
        FD + "_transport.py",
        "        if transport.get_write_buffer_size():\n",
        "        if False:\n",
        "streams/fd/test_transport.py::test_plain_writes_before_and_after_keep_their_order",
        "streams/fd/test_transport.py::test_write_behind_a_stalled_plain_write_accepts_nothing",
    ),
    # -- transports that can't be written past ----------------------------------------------------------
    slip(FD + "_buffered_transport.py", "view[: CHUNK_SIZE - len(chunk)]", "view[:CHUNK_SIZE]", BUFFERED),
    slip(
        FD + "_buffered_transport.py",
        "            if self._handed_over:\n                self._stream",
        "            if True:\n                self._stream",
        BUFFERED,
    ),
    slip(
        FD + "_buffered_transport.py",
        "            if self._handed_over:\n                self._stream.transport.abort()\n",
        "",
        BUFFERED,
    ),
    slip(FD + "_buffered_transport.py", "        self._handler.cancellation_slot.clear()\n", "", BUFFERED),
    slip(
        FD + "_buffered_transport.py",
        "        if requested & CancellationType.TERMINAL:",
        "        if True:",
        "streams/fd/test_transport.py::test_through_tls_only_terminal_cancellation_is_to_be_had",
        BUFFERED,
    ),
    slip(
        FD + "_buffered_transport.py",
        "            if self._busy:\n                raise",
        "            if False:\n                raise",
        BUFFERED,
    ),
    slip(
        FD + "_buffered_transport.py",
        "        if self._busy:\n            self.transport.abort()",
        "        if False:\n            self.transport.abort()",
        BUFFERED,
    ),
    # -- as_stream --------------------------------------------------------------------------------------
    slip("_adapting.py", "        if stream is None or not is_open(stream):", "        if stream is None:", ADAPT),
    slip("_adapting.py", "        if not is_open(stream) and not _in_use(stream):", "        if False:", ADAPT),
    slip("streams/_coroutine.py", "        if requested & self.cancellable:", "        if True:", WIRE),
    slip(
        "streams/_coroutine.py",
        "                if not self._sure:\n",
        "                if True:\n",
        CLOSING + "::test_a_close_cancelled_before_it_began_closes_all_the_same",
    ),
    # -- serial ports -----------------------------------------------------------------------------------
    slip(
        SERIAL + "_open.py",
        "    except BaseException:\n        made.close()\n",
        "    except BaseException:\n",
        "streams/serial/test_open.py::test_a_port_that_is_refused_at_opening_is_closed_again",
    ),
    slip(
        SERIAL + "_drain.py",
        "        if not self._last:\n            return None",
        "        if True:\n            return None",
        DRAIN + "::test_a_drain_to_the_queue_leaves_the_fifo_alone",
    ),
    slip(
        SERIAL + "_drain.py",
        "return before if before and after == 0 else 0",
        "return before or 0",
        DRAIN + "::test_a_discard_that_the_driver_ignores_proves_nothing",
    ),
    slip(SERIAL + "_drain.py", "            self._tty.check_peer()\n", "", BLOCKING),
    slip(
        SERIAL + "_close.py",
        "            self._shrunk_at = now\n",
        "            pass\n",
        CLOSING + "::test_a_queue_that_moves_slowly_is_not_dropped",
        CLOSING,
    ),
    # -- ports on threads -------------------------------------------------------------------------------
    slip(
        THREADED + "_worker.py",
        "        cause = cause.__cause__ or cause.__context__",
        "        cause = None",
        BLOCKING + "::test_the_errno_behind_an_exception_of_pyserials_is_told",
    ),
    slip(
        THREADED + "_worker.py",
        "            self._kept += data",
        "            pass",
        "contract/test_loops_that_are_over.py::test_bytes_that_a_left_read_had_taken_go_to_the_next_read",
    ),
    slip(
        THREADED + "_worker.py",
        "                if stop.is_set():\n                    raise OperationAborted\n",
        "",
        BLOCKING,
    ),
    # -- layers -----------------------------------------------------------------------------------------
    slip(
        LAYERS + "_paced.py",
        'self._account(b"".join(chosen)[:n])',
        'self._account(b"".join(chosen))',
        PACED + "::test_a_part_taken_beneath_is_a_part_of_the_chunk",
    ),
    slip(
        LAYERS + "_paced.py",
        "size = min(size, self._chunk_size - self._in_chunk)",
        "size = min(size, self._chunk_size)",
        PACED,
    ),
    slip(LAYERS + "_paced.py", '            line = b""\n', "", PACED),
    slip(
        LAYERS + "_paced.py",
        "        if not written:\n",
        "        if False:\n",
        PACED + "::test_no_gap_follows_a_write_of_nothing",
    ),
    slip(LAYERS + "_prompts.py", "        except EndOfFile:\n", "        except LookupError:\n", PACED),
    slip(LAYERS + "_trace_files.py", "self._file.truncate(self._size)", "pass", TRACED),
    slip(
        LAYERS + "_traced.py",
        "        except Exception as error:\n",
        "        except LookupError as error:\n",
        TRACED + "::test_sink_that_raises_without_a_loop_is_logged",
    ),
    slip(
        LAYERS + "_prompts.py",
        "        if operation.stopping and error is None:\n            error = OperationAborted()\n",
        "",
        PACED + "::test_a_cancel_that_meets_the_reply_stops_the_line",
    ),
    slip(
        LAYERS + "_on_wire.py",
        "        except TransferError:\n            return 0",
        "        except LookupError:\n            return 0",
        WIRE,
    ),
    slip(LAYERS + "_rs485.py", "with suppress(asyncio.CancelledError):", "with suppress(LookupError):", WIRE),
    slip(LAYERS + "_rs485.py", "                if not more:  #", "                if True:  #", WIRE),
    slip(
        LAYERS + "_queued.py",
        "            self._wrapped.release()\n        self._leave()",
        "            self._wrapped.release()",
        QUEUED,
    ),
    slip(LAYERS + "_queued.py", "            self._line.remove(self)\n", "            self._line.popleft()\n", QUEUED),
    # -- ports that come and go ---------------------------------------------------------------------------
    slip(SERIAL + "_ports.py", "return stat.S_ISCHR(os.stat(path).st_mode)", "return os.path.lexists(path)", PORTS),
    slip(SERIAL + "_ports.py", "        except (OSError, TypeError):  # a device", "        except OSError:  #", PORTS),
    slip(SERIAL + "_ports.py", "_info(found[self._nth]) if", "_info(found[0]) if", PORTS),
    slip(SERIAL + "_port_lookout.py", "        self._armed = bool(self._waits)", "        self._armed = True", PORTS),
    slip(SERIAL + "_port_lookout.py", "None if wait.looked else match.find(_listed_or_nothing)", "None", PORTS),
    slip(SERIAL + "_port_lookout.py", "loop.call_later(LOOK_S, self._turn", "loop.call_soon(self._turn", PORTS),
    slip(LAYERS + "_port_turn.py", "            self._ports._left(self._port)\n", "", RECONNECTING),
    slip(
        LAYERS + "_port_turn.py",
        "            self._ports._lose(self._port, found, self.user)",
        "            pass",
        RECONNECTING,
    ),
    slip(
        LAYERS + "_port_turn.py",
        "            return 0  # nothing",
        "            raise BlockingIOError  # nothing",
        RECONNECTING,
    ),
    slip(
        LAYERS + "_reconnecting.py", "            if direction.user is not user:", "            if False:", RECONNECTING
    ),
    slip(
        LAYERS + "_reconnecting.py",
        "                if error.errno in HOPELESS:",
        "                if False:",
        RECONNECTING,
    ),
    slip(
        LAYERS + "_reconnecting.py",
        "elif self._unwanted and self._waiting",
        "elif False and self._waiting",
        RECONNECTING,
    ),
    slip(
        LAYERS + "_reconnecting.py",
        "            self._cut_off, self.stream = self.stream, None",
        "            pass",
        RECONNECTING,
    ),
    slip(LAYERS + "_reconnecting.py", "        if self._closed:\n", "        if False:\n", RECONNECTING),
    # -- modem lines --------------------------------------------------------------------------------------
    slip(SERIAL + "_line_wait.py", "if len(self._wanted) == 1 and before", "if False and before", LINES),
    slip(SERIAL + "_line_wait.py", "if all(getattr", "if any(getattr", LINES),
    slip(SERIAL + "_line_wait.py", "        lookout_of(loop).add(self)\n", "", LINES),
    slip(SERIAL + "_line_wait.py", "            self._call.interrupt(PATIENCE_S)", "            pass", LINES),
    slip(SERIAL + "_port.py", "                    wait.end()  #", "                    pass  #", LINES),
    # -- methods, and pyserial's names ----------------------------------------------------------------------
    slip(
        "streams/serial/_port.py",
        "self._fixed = type(self) is SerialPort",
        "self._fixed = False",
        NAMES + "test_a_name_that_is_none_can_not_be_set",
    ),
    slip(
        "streams/layers/_layer.py",
        "return None if own is None else own(way)",
        "return None",
        NAMES + "test_the_ports_timeouts_are_those_of_the_blocking_forms",
    ),
    slip(
        "streams/layers/_layer.py",
        "not hasattr(type(self), name) and holder(self, name):",
        "False:",
        NAMES + "test_a_setting_of_the_port_is_not_set_on_a_layer",
    ),
    slip(
        "streams/serial/_async_open.py",
        "            opening.add_done_callback(_close)\n",
        "",
        NAMES + "test_a_cancelled_async_open_leaves_no_port_open",
    ),
    slip(
        "streams/serial/_pyserial_names.py",
        "or None\n",
        "\n",
        NAMES + "test_a_timeout_of_0_is_no_limit",
    ),
    slip(
        "streams/fd/_stream.py",
        "            await asyncio.to_thread(self.close)",
        "            self.close()",
        "streams/test_methods.py::test_leaving_a_block_waits_for_the_streams_own_loop",
    ),
    # -- remote ports -----------------------------------------------------------------------------------
    slip(REMOTE + "_telnet.py", "return (parts, 1)", "return (parts, 0)", TELNET),
    slip(REMOTE + "_telnet.py", "[bytes((NOP,)), *payload]", "payload", TELNET),
    slip(REMOTE + "_telnet.py", "sent - pairs - odd, bool(odd)", "sent - pairs - odd, False", TELNET),
    slip(REMOTE + "_telnet.py", "size + sent - pairs - odd", "size + sent - pairs", TELNET),
    slip(REMOTE + "_telnet.py", "return data[1:] if half else data", "return data", TELNET),
    slip(REMOTE + "_telnet.py", "tuple(commands), chunk[at:]", "tuple(commands), b''", TELNET),
    slip(REMOTE + "_com_port.py", 'if family != "baudrate":', "if True:", TELNET),
    slip(REMOTE + "_com_port.py", "if self._taken is None or self._taken[0] is not said:", "if True:", TELNET),
    slip(REMOTE + "_com_port.py", "not one.passed and one.family == family", "not one.passed", TELNET),
    slip(REMOTE + "_com_port.py", "self.suspended = code == Code.SUSPEND", "pass", TELNET),
    slip(
        REMOTE + "_output.py",
        "            if beyond is not None:\n",
        "            if True:\n                beyond = beyond or 0\n",
        RFC2217 + "test_small_sends_of_escaped_bytes_are_counted_whole",
    ),
    slip(
        REMOTE + "_output.py",
        "commands = behind[beyond:]",
        "commands = b''",
        RFC2217 + "test_cut_in_every_byte_both_ways_it_is_exact",
        RFC2217 + "test_small_sends_of_escaped_bytes_are_counted_whole",
    ),
    slip(
        REMOTE + "_connection.py",
        "            left = window - (accepted - self.com_port.served)\n",
        "            left = window\n",
        RFC2217 + "test_no_more_than_the_window_is_accepted_ahead",
    ),
    slip(
        REMOTE + "_connection.py",
        "        if not chosen:  # the window",
        "        if False:  # the window",
        RFC2217 + "test_a_window_that_becomes_smaller_than_what_is_out",
    ),
    slip(
        REMOTE + "_connection.py",
        " or self.com_port.suspended:\n",
        ":\n",
        RFC2217 + "test_suspended_it_sends_nothing_until_resumed",
    ),
    slip(
        REMOTE + "_connection.py",
        "                    view.release()\n",
        "                    pass\n",
        "contract/test_interrupted.py::test_interrupted_a_remote_write_gives_the_memory_back",
    ),
    slip(
        REMOTE + "_connection.py",
        "        if not of_the_system(error):\n            raise error\n        if self.lost",
        "        if self.lost",
        "contract/test_interrupted.py::test_a_flowing_write_to_a_remote_port",
    ),
    slip(
        REMOTE + "_connection.py",
        "                self._send(self._output.flush)",
        "                pass",
        "contract/test_interrupted.py::test_a_flowing_write_to_a_remote_port",
    ),
    slip(
        REMOTE + "_connection.py",
        "            if self.lost is not None:\n                raise self.lost.with_traceback(None)\n            if not any",
        "            if not any",
        RFC2217 + "test_a_dead_server_ends_what_waits",
    ),
    slip(
        REMOTE + "_connect.py",
        "        if closes is not None:\n",
        "        if False:\n",
        RFC2217 + "test_a_close_of_the_socket_ends_what_waits",
    ),
    slip(
        "streams/serial/_interrupted.py",
        "                if self.done.is_set():\n                    self.dismiss()  #",
        "                if False:\n                    self.dismiss()  #",
        "streams/serial/test_close.py::test_a_signal_that_comes_late_is_not_the_programs",
    ),
    slip(
        REMOTE + "_link.py",
        "        self._limit(not unsent)\n",
        "",
        "streams/remote/test_link.py::test_a_peer_that_reads_late_gets_it_without_a_loop",
    ),
    slip(
        REMOTE + "_link.py",
        "        self._limit(bool(room) if unacknowledged else not unsent)\n",
        "        self._limit(True)\n",
        "streams/remote/test_link.py::test_a_peer_that_reads_late_gets_what_was_accepted",
    ),
    slip(
        REMOTE + "_link.py",
        "(0, 0, 0) if state == _CLOSED else",
        "(0, 0, 0) if False else",
        "streams/remote/test_link.py::test_a_connection_that_is_over_is_looked_at_no_more",
    ),
    slip(
        REMOTE + "_tcp_port.py",
        "        self._link.sent()\n",
        "",
        "streams/remote/test_link.py",
    ),
    slip(
        REMOTE + "_connection.py",
        "        self.link.sent()\n",
        "",
        "streams/remote/test_link.py",
    ),
    slip(
        REMOTE + "_link.py",
        "        self._scheduled_on = _no_loop\n",
        "",
        "streams/remote/test_link.py::test_the_limit_is_back_once_the_peer_has_read",
    ),
    slip(
        REMOTE + "_rfc2217_line.py",
        "            if not _grants(name, question):\n",
        "            if False:\n",
        RFC2217 + "test_who_refuses_what_is_named",
    ),
    slip(
        REMOTE + "_answers.py",
        "    missing = next((one for one in questions if one.answer is None), None)\n",
        "    missing = None\n",
        RFC2217 + "test_lines_are_checked_where_they_are_named",
    ),
    slip(
        REMOTE + "_open_rfc2217.py",
        "    if said[0] != IAC:",
        "    if False:",
        RFC2217 + "test_what_is_not_telnet_is_refused_unsent",
    ),
]
