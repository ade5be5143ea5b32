"""The part of the evaluation's page that says how well types of fraud are told apart."""

from typing import Any

from fanzha_training.html_page import note, table, wide


def fraud_types(by_model: dict[str, dict[str, Any] | None]) -> list[str]:
    """Return the part, from the figures of `fanzha_training.type_metrics` by model."""
    told = {key: found for key, found in by_model.items() if found and found["frauds"]}
    if not told:
        return []
    parts = ["<h2>Of which type is a fraud?</h2>"]
    for key, found in told.items():
        sure = found["right_when_sure"]
        parts += [
            note(
                f"{'The model' if key == 'model' else 'The other model'}, on "
                f"{found['frauds']:,} later frauds whose type was reported: the likeliest type is "
                f"right for {found['right']:.0%}, among the three likeliest for "
                f"{found['right_among_three']:.0%}. It is sure enough for the prompt to speak of a "
                f"type (from {found['sure_from']:g} on) for {found['sure']:.0%} of them"
                + ("." if sure is None else f", and then right for {sure:.0%}.")
            ),
            wide(
                table(
                    ["type", "frauds", "right", "taken for"],
                    [
                        [
                            word,
                            f"{kind['frauds']:,}",
                            f"{kind['right']:.0%}",
                            ", ".join(f"{other} {n}" for other, n in kind["taken_for"].items()),
                        ]
                        for word, kind in found["by_type"].items()
                    ],
                )
            ),
        ]
    return parts
