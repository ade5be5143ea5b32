"""Columns of the archive, the one contract between the service and training.

The archive is a folder of `day=YYYY-MM-DD/part-*.parquet`, where the day is the UTC day of
`record_time_ms`. Every journal record is one row. `body` holds the record as it was journaled
(msgpack of a type in `fanzha.domain.record`); the other columns repeat what reports and training
read in bulk, and are null where a kind has no such thing.

A row that changed the state of a subject (an account, or a link) carries its token in `account`,
with `seq`, `change` and `change_columns`; all such rows of one subject, ordered by `seq`, replay
its state (see `fanzha.features.fold`). `previous_seq` is the sequence that it follows, null for the
one that is one less: after a loss a state goes on from an older one, or from none. `learned_links`
holds the tokens, 16 bytes each, of the links that the account remembers since this change: those
that are told what becomes known of it.
"""

from typing import Any, Final

import pyarrow as pa

KIND_DECISION: Final = "decision"
KIND_DECISION_UPDATE: Final = "decision_update"
"""A newer content of a decision that is on record: it was answered with another mark."""
KIND_CHANGE: Final = "change"
"""A change relayed from another account: RECEIVE, EXECUTION_IN, REPORT, RETRACT, SIGHTING, TAINT or
CLEAR."""
KIND_EXECUTION: Final = "execution"
KIND_OUTCOME: Final = "outcome"
KIND_WITHDRAWAL: Final = "withdrawal"
"""An outcome was taken back; the row names it."""
KIND_LIST_IMPORT: Final = "list_import"
"""Entries of an import, up to 1,000 a row; they count once the import is committed."""
KIND_LIST_COMMIT: Final = "list_commit"
"""An import took effect; its row carries no entries."""
KIND_LIST_PROPOSAL: Final = "list_proposal"
"""Somebody proposed an import; its row carries no entries."""
KIND_LIST_VERDICT: Final = "list_verdict"
"""A proposal was approved or rejected."""
KIND_MODEL_CHANGE: Final = "model_change"
KIND_STATE_REBUILD: Final = "state_rebuild"
"""The states of a bucket were rebuilt from the archive."""
KIND_UNREADABLE: Final = "unreadable"
"""An entry of the journal that no service writes: kept, and trusted for nothing."""
KIND_CONFLICT: Final = "conflict"
"""A decision that was answered during an outage although another one held its request id."""
KIND_RECONCILIATION: Final = "reconciliation"
"""A request was answered twice; says which answer stands. Names the decision that held the request
in `decision_id`."""

DECISION_KINDS: Final = (KIND_DECISION, KIND_DECISION_UPDATE, KIND_CONFLICT)
"""Kinds whose body is a decision's record."""
OUTCOME_KINDS: Final = (KIND_OUTCOME, KIND_WITHDRAWAL)

_FIELDS: "Final[list[pa.Field[Any]]]" = [
    pa.field("record_id", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("bucket", pa.int16(), nullable=False),
    pa.field("stream_id", pa.string()),
    pa.field("record_time_ms", pa.int64(), nullable=False),
    pa.field("account", pa.binary(16)),  # Or a link's token.
    pa.field("seq", pa.int64()),
    pa.field("previous_seq", pa.int64()),
    pa.field("change", pa.int8()),
    pa.field("change_columns", pa.list_(pa.int64())),
    pa.field("learned_links", pa.binary()),
    # Decisions, executions, outcomes and withdrawals.
    pa.field("decision_id", pa.string()),
    # Decisions.
    pa.field("request_id", pa.string()),
    pa.field("transfer_id", pa.string()),
    pa.field("payee", pa.binary(16)),
    pa.field("create_time_ms", pa.int64()),
    pa.field("kind_code", pa.int8()),
    pa.field("channel", pa.int8()),
    pa.field("payer_segment", pa.int8()),
    pa.field("base_amount_minor", pa.int64()),
    pa.field("decision", pa.int8()),
    pa.field("points", pa.int16()),
    pa.field("margin", pa.float64()),
    pa.field("probability", pa.float64()),
    pa.field("payee_mule_points", pa.int16()),
    pa.field("payer_mule_points", pa.int16()),
    pa.field("in_control_share", pa.bool_()),
    pa.field("model_version", pa.string()),
    pa.field("policy_version", pa.string()),
    pa.field("shadow_version", pa.string()),
    pa.field("shadow_margin", pa.float64()),
    pa.field("shadow_points", pa.int16()),
    pa.field("payer_seq", pa.int64()),
    pa.field("payee_seq", pa.int64()),
    pa.field("links", pa.list_(pa.binary(16))),
    pa.field("link_seqs", pa.list_(pa.int64())),
    pa.field("facts", pa.list_(pa.int64())),
    pa.field("vector", pa.list_(pa.float32())),
    # Executions.
    pa.field("execution_status", pa.int8()),
    # Outcomes and withdrawals.
    pa.field("outcome_id", pa.string()),
    pa.field("outcome_source", pa.int8()),
    pa.field("outcome_type", pa.int8()),  # Null for withdrawals; so is the fraud type.
    pa.field("fraud_type", pa.int8()),
    pa.field("report_time_ms", pa.int64()),
    pa.field("body", pa.binary()),
]
SCHEMA: Final = pa.schema(_FIELDS)
"""`payer_seq` and `payee_seq` name the states that a decision's vector was computed from; -1 when
that side could not be read or does not exist. So do `link_seqs` for the tokens in `links`, one for
each of `fanzha.features.links.LINKS`, null where it was not given. `shadow_*` is what a model said
that scored beside the one of `model_version`, null without one. `facts` has one int64 for each
name in `fanzha.features.facts.FACTS`, `vector` one float32 for each feature of the manifest."""
