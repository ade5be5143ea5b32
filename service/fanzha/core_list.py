"""Lists of processor cores, as Linux writes them."""


def cores_in(text: str) -> tuple[int, ...]:
    """Return the cores that a list such as `0,2` or `0-3,8` names, in its order.

    Raises:
        ValueError: it is no such list.
    """
    cores: list[int] = []
    for part in text.strip().split(","):
        first, is_range, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not is_range)):
            raise ValueError("is no list of cores, such as 0,2 or 0-3")
        cores += range(int(first), int(last if is_range else first) + 1)
    return tuple(dict.fromkeys(cores))
