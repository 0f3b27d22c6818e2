"""A session with a labgrid coordinator: its places are acquired one at a time, and always released."""
# labgrid is installed with the extra only, and ships no types.
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator
from typing import Any, Self

from ._row import Line, NotAcquired, wired

try:
    import grpc
    from labgrid.remote.client import ClientSession, ServerError
    from labgrid.remote.generated import labgrid_coordinator_pb2 as messages
except ImportError as error:
    raise ImportError(f"serialwrite lab needs labgrid ({error}): install serialwrite[labgrid]") from error

DEFAULT_PORT = 20408  # labgrid's own
ANSWER_TIMEOUT_S = 30.0  # seconds for the coordinator to answer one call
PORT_TIMEOUT_S = 15.0  # seconds for an exporter to start the server of an acquired port
POLL_INTERVAL_S = 0.1  # seconds


class Coordinator:
    """The places of the coordinator at ``address`` (``host`` or ``host:port``). Use it with ``async with``.

    Raises:
        ConnectionError: the coordinator can't be reached.
    """

    def __init__(self, address: str) -> None:
        self._address = address if re.search(r":\d+$", address) else f"{address}:{DEFAULT_PORT}"

    async def __aenter__(self) -> Self:
        logging.getLogger().addHandler(logging.NullHandler())  # what labgrid logs is in the errors raised here
        self._session: Any = ClientSession(self._address, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._session.start()
        except (ServerError, TimeoutError) as error:
            await self._session.close()
            raise ConnectionError(
                f"no labgrid coordinator answers at {self._address}: start it, or pass --coordinator HOST:PORT"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(AssertionError):  # labgrid's stop() asserts that the connection was lost
            await self._session.stop()
        await self._session.close()

    @property
    def places(self) -> list[str]:
        """The names of all places."""
        return sorted(self._session.places)

    @contextlib.asynccontextmanager
    async def acquired(self, place: str) -> AsyncGenerator[list[Line]]:
        """Acquire ``place``, yield its lines, and release it.

        Raises:
            NotAcquired: another client has it, or the coordinator refused.
            ConnectionError: it could not be released.
        """
        entry = self._session.places.get(place)
        if entry is None:
            raise NotAcquired("the place was deleted meanwhile")
        if entry.acquired:
            raise NotAcquired(f"acquired by {entry.acquired}", entry.acquired)
        try:
            await self._call("AcquirePlace", messages.AcquirePlaceRequest(placename=place))
        except ConnectionError as error:
            raise NotAcquired(str(error), self._session.places[place].acquired) from error
        try:
            yield await self._lines(place)
        finally:
            await self._call("ReleasePlace", messages.ReleasePlaceRequest(placename=place))

    async def _call(self, name: str, request: Any) -> None:
        try:
            await getattr(self._session.stub, name)(request, timeout=ANSWER_TIMEOUT_S)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                if not await self._session.sync_with_coordinator():
                    raise ConnectionError("the connection to the coordinator was lost")
        except grpc.aio.AioRpcError as error:
            raise ConnectionError(f"{name}: {error.details()}") from error
        except TimeoutError as error:
            raise ConnectionError(f"{name}: the coordinator did not answer in {ANSWER_TIMEOUT_S:g} s") from error

    async def _lines(self, place: str) -> list[Line]:
        """The lines of an acquired place, once the exporters have started the servers of its ports."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PORT_TIMEOUT_S):
                # labgrid has no event for it
                while any(not entry.avail or not entry.args["port"] for _, _, entry in self._ports(place)):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_INTERVAL_S)
        return wired({name: _line(name, path, entry) for name, path, entry in self._ports(place)})

    def _ports(self, place: str) -> list[tuple[str, str, Any]]:
        """The name, the path and the entry of each serial port of an acquired place."""
        entry = self._session.places[place]
        found = list[tuple[str, str, Any]]()
        for path in entry.acquired_resources:
            exporter, group, kind, resource = path[:4]
            if kind == "NetworkSerialPort":
                match = entry.getmatch(tuple(path))
                name = (match and match.rename) or f"{exporter}/{group}/{resource}"
                found.append(
                    (name, f"{exporter}/{group}/{resource}", self._session.resources[exporter][group][resource])
                )
        return sorted(found, key=lambda each: each[0])


def _line(name: str, path: str, entry: Any) -> Line:
    args, proxied = entry.args, entry.extra.get("proxy_required")
    host = f"[{args['host']}]" if ":" in args["host"] else args["host"]
    address = f"{host}:{args['port']}"
    raw = args.get("protocol", "rfc2217") == "raw"
    url = f"socket://{address}" if raw else f"rfc2217://{address}?ign_set_control"
    usable = args["port"] and not proxied
    return Line(name, (url,) if usable else (), int(args.get("speed", 115200)), (path,))
