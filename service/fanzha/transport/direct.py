"""How unary calls come in: from gRPC's core straight to the thread that works on them.

Every thread here waits for whatever the core tells next: a new call, its message. A call that finds
no room is refused at once, with a hint when to try again; who may not make it hears so before its
message is read. A call whose message is there is worked on by the thread that saw it, as long as
there is a turn left; else it waits, and whoever ends its turn goes on with it. There are a few more
threads than turns, so that somebody always looks at what comes in.

Calls of some methods are worked on together: a turn takes all that wait. So nothing waits for a
crowd to gather, and when there is one, each call costs less.

What a handler returns is sent; a `Later` is sent when it is ready, without a thread that waits.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from fanzha.domain.errors import (
    FieldFault,
    InvalidFieldsError,
    OverloadedError,
    StoppingError,
)
from fanzha.transport.admission import Admission
from fanzha.transport.core_calls import CoreQueue
from fanzha.transport.direct_methods import (
    TOGETHER_MAX,
    DirectCall,
    Method,
    Together,
    Turns,
    one_by_one,
)
from fanzha.transport.guard import Guard
from fanzha.transport.later import Later
from fanzha.transport.patience import Patience
from fanzha.transport.status import to_failure, to_status

log = logging.getLogger(__name__)

MALFORMED: Final = InvalidFieldsError(
    (
        FieldFault(
            "request", "is no protobuf message of this method; check the client's proto files"
        ),
    )
)
FULL: Final = OverloadedError("the service is at its limit; try again after a pause")
STOPPING: Final = StoppingError("this worker is being stopped; another one answers")
MESSAGE_WAIT_S: Final = 2.0
"""So long a call's message may take after the call."""
_LOOKOUTS: Final = 4
"""So many threads more than turns: they look at what comes in while all turns are taken."""
_HINTS: Final = 100
_TOGETHER_TURNS: Final = 2
"""While one waits for Redis, another computes; with more of them, fewer calls go together."""
_CROWD: Final = 8
"""Fewer waiting calls than this begin no second turn: larger groups cost less a call."""
_STOP_S: Final = 5.0


class DirectCalls:
    """Takes the calls of unary methods, and answers them."""

    def __init__(
        self,
        guard: Guard,
        admission: Admission,
        patience: Patience,
        turns: int,
        together: Mapping[str, Together],
        monotonic: Callable[[], float],
    ) -> None:
        """Prepare; nothing comes in yet.

        Args:
            guard: says who calls, and whether they may.
            admission: how many calls may be in.
            patience: ends calls whose message does not come.
            turns: so many calls are worked on at once.
            together: methods whose waiting calls are worked on together, by full name; they have
                turns of their own.
            monotonic: clock in seconds.
        """
        self._guard = guard
        self._admission = admission
        self._patience = patience
        self._monotonic = monotonic
        self._methods: dict[str, Method] = {}
        self._turns = Turns(turns)
        self._together = together
        self._late = ThreadPoolExecutor(turns, thread_name_prefix="late")
        self._queue: CoreQueue | None = None
        self._is_stopping = False
        self._full = [to_status(to_failure(FULL)) for _ in range(_HINTS)]
        self._refused = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"call-{number}", daemon=True)
            for number in range(turns + _TOGETHER_TURNS * len(together) + _LOOKOUTS)
        ]

    def add(self, name: str, handler: Any) -> None:  # noqa: ANN401 - a named tuple of grpc
        """Add a method under its full name, such as /fanzha.v1.ScoringService/ScoreTransfer."""
        work, most, turns = self._together.get(name), TOGETHER_MAX, self._turns
        if work is None:
            work, most = one_by_one(handler.unary_unary), 1
        else:
            turns = Turns(_TOGETHER_TURNS, _CROWD)
        self._methods[name] = Method(
            work, most, turns, handler.request_deserializer, handler.response_serializer
        )

    def join(self, server: grpc.Server) -> None:
        """Have the server's core send the calls here; before it starts."""
        self._queue = queue = CoreQueue(server)
        for name in self._methods:
            queue.register(name)

    def start(self) -> None:
        """Ask for calls; after the server has started."""
        assert self._queue is not None  # noqa: S101 - `join` comes first
        for name in self._methods:
            self._queue.ask_for(name)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take nothing more in: say so."""
        self._is_stopping = True

    def stop_asking(self) -> None:
        """Leave it to the server, which is about to stop, to end what still comes."""
        if self._queue is not None:
            self._queue.stop_asking()

    def close(self) -> None:
        """End the threads; after the server has stopped."""
        if self._queue is not None:
            self._queue.close()
        end_s = self._monotonic() + _STOP_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end_s - self._monotonic()))
        self._late.shutdown()

    def _work(self) -> None:
        assert self._queue is not None  # noqa: S101 - for the type checker
        self._queue.run(self._arrived, self._received, self._made)

    def _made(self, name: str, event: Any) -> DirectCall:  # noqa: ANN401
        return DirectCall(name, self._methods[name], event)

    def _arrived(self, name: str, call: Any) -> None:  # noqa: ANN401 - a DirectCall of ours
        """Look at a new call: whether there is room, and whether its caller may make it."""
        try:
            if self._is_stopping:
                call.refuse(to_status(to_failure(STOPPING)))
            elif not self._admission.has_room(self._patience.stalled):
                call.refuse(self._one_hint())
            else:
                try:
                    call.caller = self._guard.identify(call)
                    self._guard.authorise(name, call.caller)
                except Exception as error:  # noqa: BLE001 - every error becomes a status
                    call.refuse(to_status(self._guard.failure(name, call.caller, error)))
                    return
                self._take_in(call)
        except Exception:
            log.exception("a call of %s could not be taken in", name)

    def _take_in(self, call: DirectCall) -> None:
        """Ask for the message of a call that may come in."""
        self._admission.enter()
        call.wait = self._patience.begin(call, MESSAGE_WAIT_S)
        try:
            call.receive()
        except BaseException:
            self._patience.end(call.wait)
            self._admission.leave()
            raise

    def _received(self, call: DirectCall, message: bytes | None) -> None:
        """Take a call's message; work on it, or have it wait for a turn."""
        self._patience.end(call.wait)
        if message is None:
            self._fail(call, MALFORMED)
            return
        call.message = message
        call.received_s = self._monotonic()
        turns = call.method.turns
        turns.waiting.append(call)
        # Who has a turn looks again when it ends.
        while turns.waiting and turns.take():
            try:
                self._turn(turns)
            finally:
                turns.give_back()

    def _turn(self, turns: Turns) -> None:
        """Work on the call that waited longest, and on those that can go with it."""
        calls: list[DirectCall] = []
        requests: list[tuple[Any, Any]] = []
        most = 1
        while len(calls) < most:
            try:
                call = turns.waiting.popleft()
            except IndexError:
                break
            most = call.method.most
            if not self._admission.is_in_time(self._monotonic() - call.received_s):
                self._end(call, self._one_hint())
                continue
            try:
                requests.append((call.method.read(call.message), call))
            except DecodeError:
                self._fail(call, MALFORMED)
                continue
            calls.append(call)
        if not calls:
            return
        try:
            results = calls[0].method.work(requests)
        except Exception as error:  # noqa: BLE001 - every error becomes a status
            results = [error] * len(calls)
        for call, result in zip(calls, results, strict=True):
            self._give(call, result)

    def _give(self, call: DirectCall, result: Any) -> None:  # noqa: ANN401 - a message of any kind
        """Answer with what a handler returned, now or later."""
        if type(result) is Later:
            later = result
            try:
                later.when_ready(
                    lambda: self._finish(call, later), lambda: self._finish_late(call, later)
                )
            except Exception as error:  # noqa: BLE001 - the others of its group go on
                self._fail(call, error)
        elif isinstance(result, Exception):
            self._fail(call, result)
        else:
            try:
                message = call.method.write(result)
            except Exception as error:  # noqa: BLE001 - every error becomes a status
                self._fail(call, error)
            else:
                self._answer(call, message)

    def _finish_late(self, call: DirectCall, later: Later) -> None:
        self._late.submit(self._finish, call, later)

    def _finish(self, call: DirectCall, later: Later) -> None:
        try:
            self._answer(call, call.method.write(later.message()))
        except Exception as error:  # noqa: BLE001 - every error becomes a status
            self._fail(call, error)

    def _answer(self, call: DirectCall, message: bytes) -> None:
        self._admission.leave()
        try:
            call.answer(message)
        except Exception:
            log.exception("an answer of %s could not be sent", call.name)

    def _fail(self, call: DirectCall, error: Exception) -> None:
        self._end(call, to_status(self._guard.failure(call.name, call.caller, error)))

    def _end(self, call: DirectCall, status: grpc.Status) -> None:
        self._admission.leave()
        try:
            call.refuse(status)
        except Exception:
            log.exception("a call of %s could not be ended", call.name)

    def _one_hint(self) -> grpc.Status:
        """Return a refusal for lack of room; hints differ, so that not all come back at once."""
        self._refused += 1
        return self._full[self._refused % _HINTS]
