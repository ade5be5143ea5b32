"""`fanzha kernel`: compiles the kernel where that is to be done, and says where it is kept."""

import json
from typing import Annotated

import typer


def kernel(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Compile the kernel into its cache, so that no start of a service has to.

    Run it last when an image is built, with FANZHA_KERNEL_CACHE naming a folder of the image; the
    folder may be read only afterwards.
    """
    # Importing them compiles them, or loads them from the cache.
    import fanzha.explain.shapley  # noqa: PLC0415
    import fanzha.features.fold  # noqa: PLC0415
    import fanzha.features.states  # noqa: F401, PLC0415
    from fanzha.features.kernel_cache import CPU, KERNEL_CACHE  # noqa: PLC0415
    from fanzha.features.manifest import FEATURES  # noqa: PLC0415

    found = {
        "folder": str(KERNEL_CACHE.folder),
        "cpu": CPU,
        "features": len(FEATURES),
        "from_cache": KERNEL_CACHE.loaded,
        "compiled_s": {name: round(s, 2) for name, s in KERNEL_CACHE.compiled_s.items()},
    }
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name in KERNEL_CACHE.loaded:
        typer.echo(f"{name}: from the cache")
    for name, seconds in KERNEL_CACHE.compiled_s.items():
        typer.echo(f"{name}: compiled in {seconds:.1f} s")
    typer.echo(f"{found['features']} features for {CPU} processors, kept in {KERNEL_CACHE.folder}")
