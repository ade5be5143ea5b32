"""Names of Redis keys. The tag in braces puts one bucket's keys into one Redis Cluster slot."""

from fanzha.domain.ids import BUCKETS, bucket_of, bucket_of_decision

LIST_IMPORTS = b"{lists}:imports"
"""Sorted set of the imports in effect, by order of commit."""
LIST_COUNTER = b"{lists}:counter"
LIST_COMMITS = b"{lists}:commits"
LIST_HISTORY = b"{lists}:history"
"""Random name of the lists, given with their first import: another one when they began anew."""
TOKEN_KEY = b"{lists}:token_key"
"""Fingerprint of the key that made the tokens of this Redis."""
LISTS_REBUILDING = b"{lists}:rebuilding"
"""Stands while the lists are rebuilt from the archive: none is in effect in half."""
LIST_PROPOSALS = b"{lists}:proposals"
"""Sorted set of the proposals of the last weeks, by their number."""
LIST_PROPOSAL_COUNTER = b"{lists}:proposal_counter"


_TAGS = tuple(b"{b%d}:" % bucket for bucket in range(BUCKETS))


def tag(bucket: int) -> bytes:
    """Return the hash tag of a bucket, with its separator."""
    return _TAGS[bucket]


def account(token: bytes) -> bytes:
    """Return the key of an account's state."""
    return tag(bucket_of(token)) + b"account:" + token.hex().encode()


def link(token: bytes) -> bytes:
    """Return the key of a link's memory: accounts seen with a device, phone or person."""
    return tag(bucket_of(token)) + b"link:" + token.hex().encode()


def list_entries(token: bytes) -> bytes:
    """Return the key of the list entries that name a token."""
    return tag(bucket_of(token)) + b"list:" + token.hex().encode()


def hard_list(import_id: str) -> bytes:
    """Return the key of an import's entries that workers hold copies of."""
    return b"{lists}:hard:" + import_id.encode()


def list_proposal(proposal_id: str) -> bytes:
    """Return the key of a proposed change of the lists and of what became of it."""
    return b"{lists}:proposal:" + proposal_id.encode()


def list_proposed(proposal_id: str) -> bytes:
    """Return the key of the entries that a proposal waits with."""
    return b"{lists}:proposed:" + proposal_id.encode()


def request(payer: bytes, digest: bytes) -> bytes:
    """Return the key of a request id; `digest` scopes it to caller and payer."""
    return tag(bucket_of(payer)) + b"request:" + digest.hex().encode()


def decision_prefix(bucket: int) -> bytes:
    """Return what keys of decisions in a bucket begin with."""
    return tag(bucket) + b"decision:"


def decision(decision_id: str) -> bytes:
    """Return the key of a decision's answer."""
    return decision_prefix(bucket_of_decision(decision_id)) + decision_id.encode()


def recorded(decision_id: str) -> bytes:
    """Return the key that remembers that a decision was recorded."""
    return tag(bucket_of_decision(decision_id)) + b"recorded:" + decision_id.encode()


def reconciled(decision_id: str) -> bytes:
    """Return the key that names what stands of two answers to one request."""
    return tag(bucket_of_decision(decision_id)) + b"reconciled:" + decision_id.encode()


def execution(decision_id: str) -> bytes:
    """Return the key that remembers an execution whose event has left the ring."""
    return tag(bucket_of_decision(decision_id)) + b"execution:" + decision_id.encode()


def outcomes(decision_id: str) -> bytes:
    """Return the key of the outcomes known of a decision."""
    return tag(bucket_of_decision(decision_id)) + b"outcomes:" + decision_id.encode()


def journal(bucket: int) -> bytes:
    """Return the key of a bucket's journal."""
    return tag(bucket) + b"journal"


def outbox(bucket: int) -> bytes:
    """Return the key of a bucket's outbox."""
    return tag(bucket) + b"outbox"


def epoch(bucket: int) -> bytes:
    """Return the key of the base that sequences of a bucket's subjects lie above."""
    return tag(bucket) + b"epoch"


def lineage(bucket: int) -> bytes:
    """Return the key that names the Redis process by which a bucket was served last."""
    return tag(bucket) + b"lineage"


def rebuilding(bucket: int) -> bytes:
    """Return the key that marks a bucket which is being rebuilt from the archive."""
    return tag(bucket) + b"rebuilding"


def archived(bucket: int) -> bytes:
    """Return the key of the newest journal entry of a bucket that is safe in the archive."""
    return tag(bucket) + b"archived"


def lease(bucket: int) -> bytes:
    """Return the key that names the archiver which works on a bucket."""
    return tag(bucket) + b"lease"


def archivers() -> bytes:
    """Return the key of the archivers at work: a sorted set by when they were last heard of."""
    return tag(0) + b"archivers"


def applied(bucket: int, message: bytes) -> bytes:
    """Return the key that remembers a relayed message."""
    return tag(bucket) + b"applied:" + message


def received(bucket: int, event: bytes) -> bytes:
    """Return the key that remembers that an event's receipt was applied."""
    return tag(bucket) + b"received:" + event.hex().encode()
