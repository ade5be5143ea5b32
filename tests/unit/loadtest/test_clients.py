import threading

import grpc
import pytest

from fanzha_loadtest.clients import Client, ClientError, Stubs, Window, with_retries

NOWHERE = "127.0.0.1:1"


class CallFailed(grpc.RpcError, grpc.Call):
    """An error as a stub raises it."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "the reason"


CallFailed.__abstractmethods__ = frozenset()


def test_a_window_admits_only_so_many_calls() -> None:
    window = Window(1)
    window.enter()
    entered = threading.Event()
    other = threading.Thread(target=lambda: (window.enter(), entered.set()))
    other.start()

    assert not entered.wait(0.05)
    window.leave()
    assert entered.wait(5)
    other.join()


def test_a_failure_in_a_client_thread_reaches_those_who_wait() -> None:
    window = Window(4)
    client = Client("the mobile bank", NOWHERE, 1, window)
    window.enter()

    def fail(_: Stubs) -> None:
        raise CallFailed(grpc.StatusCode.INVALID_ARGUMENT)

    client.put(fail)

    with pytest.raises(ClientError, match="the mobile bank: INVALID_ARGUMENT: the reason"):
        window.drain()
    client.close()


def test_a_call_is_tried_again_where_that_may_help() -> None:
    answers = [CallFailed(grpc.StatusCode.UNAVAILABLE), "answer"]
    retries = []

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert with_retries(call, lambda: retries.append(1)) == "answer"
    assert len(retries) == 1


def test_a_call_that_was_refused_is_not_tried_again() -> None:
    calls = []

    def call() -> str:
        calls.append(1)
        raise CallFailed(grpc.StatusCode.INVALID_ARGUMENT)

    with pytest.raises(grpc.RpcError):
        with_retries(call, lambda: None)

    assert len(calls) == 1
