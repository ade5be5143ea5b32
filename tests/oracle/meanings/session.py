"""What is asked, where, and what the customer's device was doing."""

from tests.oracle.records import Request
from tests.oracle.value import by_name


def kind(request: Request) -> int:
    return request.kind


def channel(request: Request) -> int:
    return request.channel


def speed(request: Request) -> int | None:
    return request.speed


def call_in_progress(request: Request) -> int | None:
    return request.call_in_progress


def screen_shared(request: Request) -> int | None:
    return request.screen_shared


def remote_control(request: Request) -> int | None:
    return request.remote_control


def new_device(request: Request) -> int | None:
    return request.new_device


def new_e_channel(request: Request) -> int | None:
    return request.new_e_channel


def limit_just_raised(request: Request) -> int | None:
    return request.limit_just_raised


MEANINGS = by_name(
    kind,
    channel,
    speed,
    call_in_progress,
    screen_shared,
    remote_control,
    new_device,
    new_e_channel,
    limit_just_raised,
)
