"""What the commands of `fanzha models` share: their options, and the place that they work at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fanzha.settings import read_settings
from fanzha.signing.keys import TrustedKeys, read_trusted

Label = Annotated[str, typer.Argument(help="The model, as name/version.")]
Folder = Annotated[
    Path | None, typer.Option("--models", help="Folder of the models; FANZHA_MODELS.")
]
KeysFolder = Annotated[
    Path | None, typer.Option("--keys", help="Folder of the trusted keys; FANZHA_MODEL_KEYS.")
]
Name = Annotated[str, typer.Option("--as", help="Who you are: the name of your trusted key.")]
KeyFile = Annotated[Path, typer.Option("--key", help="Your private key.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is signed and kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where models and trusted keys are, and what a model may cost."""

    models: Path
    keys: TrustedKeys
    budget_us: int

    def load(self, folder: Path, number: int | None) -> object:
        """Load a model as a worker would. Raises SetupError where a worker would refuse it."""
        # ONNX Runtime takes a moment to load; commands that look at no model do without it.
        from fanzha.adapters.model_loading import load_model  # noqa: PLC0415

        return load_model(folder, self.keys, self.budget_us, number=number)


def place_of(models: Path | None, keys: Path | None) -> Place:
    """Return the place that options and environment name.

    Raises:
        SetupError: a setting cannot be used.
    """
    settings = read_settings(models=models, model_keys=keys)
    return Place(settings.models, read_trusted(settings.model_keys_dir), settings.model_budget_us)
