"""Writes the model card: what a model learned from, how good it is, and what it is not good for.

After Mitchell et al. (2019), "Model cards for model reporting".
"""

from typing import Any, Final

import numpy as np
import xgboost as xgb

from fanzha.domain.model import Head, ModelManifest
from fanzha_training.evaluate import iso_time
from fanzha_training.golden import TOLERANCE
from fanzha_training.provenance import provenance_rows

_FEATURES_SHOWN = 15

_SIMULATED: Final = (
    "**This model learned from simulated data.** No real customer, account or fraud is in it. It "
    "shows that the whole way works; its figures say nothing about a real bank. Do not decide over "
    "real money with it: train on the bank's own history first."
)
_REAL: Final = (
    "This model learned from data that were not declared as simulated. Its golden rows are feature "
    "vectors of real transfers, without names, accounts or texts; guard them as the archive."
)


def card_text(manifest: ModelManifest, booster: xgb.Booster) -> str:
    """Return the card in Markdown; the same model gives the same card."""
    trained = manifest.trained
    sections = [
        f"# Model card: {manifest.label}",
        _SIMULATED if trained["data"]["simulated"] else _REAL,
        "## Purpose",
        (
            "Answers questions about one transfer from the features of `fanzha.features`: is the "
            "payer being deceived, is the payee's account a mule's, is the payer's, and of which "
            "type the fraud is. The service turns raw margins into probabilities and scores. A "
            "score alone may ask, step up or delay; it never blocks."
        ),
        "## Data",
        _table(_data_rows(trained)),
        "## Training",
        _table([*provenance_rows(trained["made"]), *_training_rows(trained)]),
        _commands(trained),
        "## Heads",
        _heads(trained),
        "## Figures",
        *(_figures(manifest.metrics) if manifest.metrics else ["Not evaluated before export."]),
        "## Features that gain most, for victims",
        _gains(manifest, booster),
        "## Limits",
        _limits(trained),
    ]
    return "\n\n".join(sections) + "\n"


def _table(rows: list[tuple[str, object]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _data_rows(trained: dict[str, Any]) -> list[tuple[str, object]]:
    data, times, rows = trained["data"], trained["times"], trained["heads"][Head.VICTIM]["rows"]
    return [
        ("source", f"{data['source']}{', simulated' if data['simulated'] else ''}"),
        ("transfers",
         f"{data['rows']:,}, {iso_time(data['from_ms'])} to {iso_time(data['until_ms'])}"),
        ("fingerprint (BLAKE2b)", f"`{data['fingerprint']}`"),
        ("features", f"`{data['feature_hash']}`"),
        ("features of one value, or none", len(data["features_without_values"])),
        ("labels known at", iso_time(data["as_of_ms"])),
        ("label delay", f"{trained['delay_days']:g} days"),
        ("trees grown on", _span(times["fit_from_ms"], times["tune_from_ms"], rows["fit"])),
        ("their number found on",
         _span(times["tune_from_ms"], times["train_until_ms"], rows["tune"])),
        ("calibrated on",
         _span(times["calibrate_from_ms"], times["cut_ms"], rows["calibration"])),
    ]  # fmt: skip


def _span(start_ms: int, end_ms: int, counts: dict[str, int]) -> str:
    return (
        f"{iso_time(start_ms)} to {iso_time(end_ms)}: {counts['transfers']:,} transfers, "
        f"{counts['frauds']:,} frauds"
    )


def _training_rows(trained: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("rows without history", f"{trained['augment_share']:.0%} for each kind of outage"),
        ("sampling", "every labelled transfer of these days, once"),
        ("seed", trained["seed"]),
        ("threads", trained["threads"]),
        ("graph name", f"`{trained['graph_name']}`"),
    ]


def _commands(trained: dict[str, Any]) -> str:
    lines = [trained["data"]["command"], trained["command"], trained["export_command"]]
    return "The same commands on the same data give the same bytes:\n\n" + "\n".join(
        ["```sh", *lines, "```"]
    )


def _heads(trained: dict[str, Any]) -> str:
    parts = [_head(name, head) for name, head in trained["heads"].items()]
    parts += [f"**{name}** is left out: {why}." for name, why in trained["heads_left_out"].items()]
    typology = trained["typology"]
    if typology is None:
        parts.append("**Types of fraud** are not told: too few confirmed frauds name theirs.")
    else:
        found = zip(typology["fraud_types"], typology["frauds"], strict=True)
        counts = ", ".join(f"{word} {count}" for word, count in found)
        parts.append(
            f"**Types of fraud** are told by {typology['rounds']} rounds of trees "
            f"({_parameters(typology['parameters'])}) learned from confirmed frauds: {counts}."
        )
    return "\n\n".join(parts)


def _head(name: str, head: dict[str, Any]) -> str:
    calibration, rows = head["calibration"], head["rows"]
    found = "found on the tuning days" if head["tree_count_tuned"] else "as many as allowed"
    positive = rows["fit"]["frauds"] + rows["tune"]["frauds"]
    return (
        f"**{name}**: {head['trees']} trees, {found} ({_parameters(head['parameters'])}), learned "
        f"from {positive:,} positive rows. Probability = sigmoid({calibration['slope']:.6g} × "
        f"margin {calibration['intercept']:+.6g}), in float64, stated for a rate of "
        f"{calibration['base_rate']:.3g}; on the calibration days it was "
        f"{calibration['observed_rate']:.3g}, so the intercept holds a prior correction of "
        f"{calibration['prior_shift']:+.3g}."
    )


def _parameters(parameters: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in parameters.items()
    )


def _figures(metrics: dict[str, Any]) -> list[str]:
    window, calibration = metrics["window"], metrics["calibration"]
    budgets = [
        "| alerts per 1,000 | alerts | recall | value detection rate | false per true |",
        "|---|---|---|---|---|",
        *(
            f"| {budget} | {at['alerts']} | {at['recall']:.1%} | {at['value_detection_rate']:.1%} "
            f"| {per_true(at['false_per_true'])} |"
            for budget, at in metrics["budgets"].items()
        ),
    ]
    return [
        (
            f"On {metrics['transfers']:,} later transfers with {metrics['frauds']:,} frauds, "
            f"{window['from']} to {window['until']}: average precision "
            f"{metrics['average_precision']:.3f}. Mean predicted "
            f"{calibration['mean_predicted']:.3g}, "
            f"observed {calibration['observed_rate']:.3g}, expected calibration error "
            f"{calibration['expected_calibration_error']:.2g} (all at {_rate(metrics)})."
        ),
        "\n".join(budgets),
    ]


def _rate(metrics: dict[str, Any]) -> str:
    stated = metrics.get("base_rate")
    return "the data's own fraud rate" if stated is None else f"a fraud rate of {stated:.3g}"


def per_true(ratio: float | None) -> str:
    """Return false alerts for each true one as text."""
    return "–" if ratio is None else f"{ratio:.2f}"


def _gains(manifest: ModelManifest, booster: xgb.Booster) -> str:
    scores = booster.get_score(importance_type="total_gain")
    gains = {key: float(np.sum(gain)) for key, gain in scores.items()}
    whole = sum(gains.values()) or 1.0
    ranked = sorted(gains.items(), key=lambda item: (-item[1], item[0]))[:_FEATURES_SHOWN]
    lines = [
        f"| `{manifest.feature_names[int(key.removeprefix('f'))]}` | {gain / whole:.1%} |"
        for key, gain in ranked
    ]
    return "\n".join(["| feature | share of gain |", "|---|---|", *lines])


def _limits(trained: dict[str, Any]) -> str:
    late = trained["heads"][Head.VICTIM]["frauds_unknown_in_time"]
    return "\n".join(
        [
            "- It knows the kinds of fraud in its data and no others; new tricks need new labels.",
            (
                "- Fraud that nobody reports counts as legitimate. "
                f"{late:,} training row(s) became known as fraud after the label delay and were "
                "learned as legitimate."
            ),
            "- Transfers that were held back and never paid are not learned as legitimate.",
            (
                "- Margins hold for float32 features on this graph within "
                f"{TOLERANCE:g} of XGBoost; `golden.npz` proves it at every load."
            ),
            "- Probabilities hold for the stated fraud rate, and drift with it.",
        ]
    )
