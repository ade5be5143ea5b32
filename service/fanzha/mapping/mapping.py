"""A mapping: which column of a bank's own table holds which field of a transfer."""

from collections import Counter
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import pyarrow as pa
from pydantic import Field, TypeAdapter, ValidationError

from fanzha.checked_yaml import ABSENT, Document, read_document
from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import KINDS_WITH_PAYEE, TransferKind
from fanzha.file_shape import Shape
from fanzha.mapping.cells import CellError
from fanzha.mapping.encoding import Encoding
from fanzha.mapping.fields import constant_of
from fanzha.mapping.masking import IDENTIFIERS
from fanzha.mapping.sources import (
    AmountSource,
    ChannelWord,
    Choice,
    CodeSource,
    DateSource,
    FlagSource,
    Fraud,
    Kind,
    Match,
    Segment,
    Speed,
    TextSource,
    TimeSource,
    Type,
)

BASE_CURRENCY: Final = "CNY"
"""What base amounts and balances are in where nothing else is said; the isolated instance counts
in it."""


class Columns(Shape):
    """Where each field of a transfer comes from; a field that is not named is not known."""

    time: TimeSource
    kind: Choice[Kind]
    channel: Choice[ChannelWord]
    amount: AmountSource
    payer_account: TextSource
    request_id: TextSource | None = None
    transfer_id: TextSource | None = None
    currency: CodeSource | None = None
    base_amount: AmountSource | None = None
    balance_before: AmountSource | None = None
    speed: Choice[Speed] | None = None
    payer_account_ref: TextSource | None = None
    payer_person: TextSource | None = None
    payer_phone: TextSource | None = None
    payer_type: Choice[Type] | None = None
    payer_segment: Choice[Segment] | None = None
    payer_open_date: DateSource | None = None
    payer_open_channel: Choice[ChannelWord] | None = None
    payer_dual_recording_done: FlagSource | None = None
    payer_anti_fraud_app: FlagSource | None = None
    payee_account: TextSource | None = None
    payee_account_ref: TextSource | None = None
    payee_person: TextSource | None = None
    payee_phone: TextSource | None = None
    payee_type: Choice[Type] | None = None
    payee_segment: Choice[Segment] | None = None
    payee_open_date: DateSource | None = None
    payee_open_channel: Choice[ChannelWord] | None = None
    payee_dual_recording_done: FlagSource | None = None
    payee_anti_fraud_app: FlagSource | None = None
    payee_same_owner: FlagSource | None = None
    payee_same_bank: FlagSource | None = None
    payee_name_match: Choice[Match] | None = None
    remark: TextSource | None = None
    device_id: TextSource | None = None
    call_in_progress: FlagSource | None = None
    screen_shared: FlagSource | None = None
    remote_control: FlagSource | None = None
    new_device: FlagSource | None = None
    new_e_channel: FlagSource | None = None
    limit_just_raised: FlagSource | None = None
    branch_id: TextSource | None = None
    terminal_id: TextSource | None = None


REQUIRED: Final = tuple(
    name for name, declared in Columns.model_fields.items() if declared.is_required()
)
"""Fields without which a row is no transfer."""


class Label(Shape):
    """What became known of each row later; never shown to the service."""

    column: str = Field(description="column that says whether a row turned out to be fraud")
    values: dict[str, bool] = Field(
        default={},
        description="what the column holds: true for fraud; without it, true, false, 1 and 0",
    )
    known_after_days: Annotated[float, Field(ge=0, le=3650, strict=False)] = Field(
        default=7.0, description="how many days after the transfer it became known"
    )
    fraud_type: Choice[Fraud] | None = Field(
        default=None, description="the type of fraud; a column of it is never an input either"
    )


class Mapping(Shape):
    """A mapping file."""

    columns: Columns
    execution: Literal["posted", "none"] = Field(
        description="posted: each row's money left, and counts in history; none: not known"
    )
    encoding: Encoding = Field(
        default="auto",
        description="of a CSV file; auto: UTF-8 where rows are valid UTF-8, else GB18030",
    )
    label: Label | None = None
    truth: list[str] = Field(
        [], description="columns that tell what a row turned out to be; never an input"
    )


def find_mapping(given: str) -> Path:
    """Return the file of a mapping: a path, or the name of one that comes with the service.

    Raises:
        SetupError: there is neither.
    """
    path = Path(given)
    if path.exists():
        return path
    shipped = Path(str(resources.files("fanzha.mapping") / "mappings"))
    names = sorted(file.stem for file in shipped.glob("*.yaml"))
    if given in names:
        return shipped / f"{given}.yaml"
    raise SetupError(
        f"there is no mapping {given}: give the path of a YAML file, or the name of a mapping "
        f"that comes with the service ({', '.join(names)})"
    )


def load_mapping(path: Path, schema: pa.Schema) -> Mapping:
    """Read a mapping and check it against a table's columns.

    Args:
        path: the mapping file.
        schema: names and types of the table's columns.

    Raises:
        FileRefusedError: the file has faults, or names columns that the table does not have in a
            form it can use; names all of them.
    """
    document = read_document(path)
    mapping = document.parse(Mapping)
    _check_columns(document, schema)
    _check_meaning(document, schema)
    document.refuse_if_faulty()
    return cast("Mapping", mapping)


def _check_columns(document: Document, schema: pa.Schema) -> None:
    """Check names against the table, also in a file whose shapes have faults."""
    given = document.at("columns")
    fields = [("columns", name) for name in given] if isinstance(given, dict) else []
    truth = document.at("truth")
    labels: list[tuple[str, ...]] = [("label",), ("label", "fraud_type")]
    hidden = [document.at(*loc, "column") for loc in labels]
    hidden += truth if isinstance(truth, list) else []
    for loc in [*fields, *labels]:
        column = document.at(*loc, "column")
        if not isinstance(column, str):
            continue
        if loc not in labels and column in hidden:
            text = f"{'.'.join(loc)} reads {column}, which is the label or a truth; never an input"
            document.fault((*loc, "column"), text)
        if document.at(*loc, "optional") is not True or column in schema.names:
            _check_column(document, (*loc, "column"), column, schema)
            _check_type(document, (*loc, "column"), column, schema)


def _check_column(
    document: Document, loc: tuple[str | int, ...], column: str, schema: pa.Schema
) -> None:
    times = Counter(schema.names)[column]
    if times == 1:
        return
    name = ".".join(map(str, loc))
    if times:
        document.fault(loc, f"{name}: the table has {times} columns {column}; rename one of them")
        return
    close = get_close_matches(column, schema.names, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    existing = ", ".join(schema.names)
    document.fault(loc, f"{name}: the table has no column {column}{hint}; it has: {existing}")


def _check_type(
    document: Document, loc: tuple[str | int, ...], column: str, schema: pa.Schema
) -> None:
    """Refuse types that no cell can be read from, or that cannot tell accounts apart."""
    if schema.names.count(column) != 1:
        return
    kind: Any = schema.field(column).type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    name = ".".join(map(str, loc))
    if pa.types.is_nested(plain) or pa.types.is_duration(plain) or pa.types.is_time(plain):
        document.fault(loc, f"{name}: {column} has the type {kind}; export plain columns")
    elif pa.types.is_floating(plain) and plain.bit_width < 64 and loc[-2] in IDENTIFIERS:
        text = f"{name}: {column} has the type {kind}, too short for numbers of accounts"
        document.fault(loc, f"{text}; export it as text")


def sound_sources(document: Document, schema: pa.Schema) -> dict[str, Any]:
    """Return the sources that a table can be read with, also in a file where others have faults.

    Columns that the table lacks, constants that a field cannot have, times of another type and
    columns that tell the truth are left out.
    """
    truth = document.at("truth")
    hidden = [document.at("label", "column"), *(truth if isinstance(truth, list) else [])]
    sound = _sound_in_themselves(document)
    for name, source in list(sound.items()):
        probe = Document(document.path, document.root, document.data)
        if name == "time" and schema.names.count(source.column) == 1:
            _check_time(probe, source, schema.field(source.column).type)
        elif name != "time":
            _check_constant(probe, name, source)
        in_table = source.column is None or schema.names.count(source.column) == 1
        if probe.faults or not in_table or source.column in hidden:
            del sound[name]
    return sound


def _sound_in_themselves(document: Document) -> dict[str, Any]:
    sound: dict[str, Any] = {}
    for field, declared in Columns.model_fields.items():
        given = document.at("columns", field)
        kind: Any = declared.annotation
        try:
            source = TypeAdapter(kind).validate_python(given)
        except ValidationError:
            continue
        sound[field] = source
    return {field: source for field, source in sound.items() if source is not None}


def _check_meaning(document: Document, schema: pa.Schema) -> None:
    sources = _sound_in_themselves(document)
    time, kind = sources.pop("time", None), sources.get("kind")
    for field, source in sources.items():
        if field in REQUIRED and source.optional:
            text = f"columns.{field} is required and must not be optional"
            document.fault(("columns", field, "optional"), text)
        _check_constant(document, field, source)
    is_absent = document.at("columns", "payee_account") is ABSENT
    if kind is not None and is_absent and KINDS_WITH_PAYEE & _kinds(kind):
        text = "columns.payee_account is missing: a transfer needs it"
        document.fault(("columns",), text, on_key=True)
    if time is not None and schema.names.count(time.column) == 1:
        _check_time(document, time, schema.field(time.column).type)


def _check_constant(document: Document, field: str, source: Any) -> None:  # noqa: ANN401 - any source
    try:
        constant_of(field, source)
    except CellError as error:
        document.fault(("columns", field, "constant"), f"columns.{field}.constant {error}")


def _kinds(source: "Choice[Kind]") -> set[TransferKind]:
    """Return the kinds of transfer that a table can have."""
    if source.constant is not None:
        return {source.constant}
    return set(source.values.values() or TransferKind)


def _check_time(document: Document, time: TimeSource, kind: Any) -> None:  # noqa: ANN401 - any Arrow type
    is_timestamp = pa.types.is_timestamp(kind)
    if is_timestamp != (time.format[0] == "timestamp"):
        right = "use timestamp" if is_timestamp else "use another format"
        text = f"columns.time.format: {time.column} has the type {kind}; {right}"
        document.fault(("columns", "time", "format"), text)
    elif is_timestamp and kind.tz is None and time.zone is None:
        text = f"columns.time must have a zone: the times in {time.column} name none"
        document.fault(("columns", "time"), text, on_key=True)


def columns_of(mapping: Mapping, schema: pa.Schema) -> list[str]:
    """Return the columns of a table that a mapping reads."""
    sources = [getattr(mapping.columns, field) for field in Columns.model_fields]
    if mapping.label is not None:
        sources += [mapping.label, mapping.label.fraud_type]
    names = [source.column for source in sources if source is not None]
    return [name for name in dict.fromkeys(names) if name in schema.names]
