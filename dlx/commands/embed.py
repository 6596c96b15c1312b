"""Write what a trained network makes of inputs: codes, or features before its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlx.commands._complete import runs
from dlx.console import echo


def command(
    run: Annotated[
        str, typer.Argument(help="An MLflow run id, a name, a directory, a checkpoint, or `last`.", autocompletion=runs)
    ],
    inputs: Annotated[list[Path], typer.Argument(help="Tables, images, folders of images, .npy or .npz arrays.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .parquet, .csv or .npz file.")] = Path(
        "embedding.parquet"
    ),
) -> None:
    """Write what a trained network makes of inputs: codes, or features before its answer.

    There is one vector a sample: of autoencoders the code, of a VAE its mean, of encoders that learned without labels
    their features, of others what the last layer with weights receives.
    """
    import dlx
    from dlx.commands._show import open_run
    from dlx.engine.inference.files import check_embedding_file

    check_embedding_file(output)
    found = dlx.embed(open_run(run), inputs)
    for note in found.notes:
        echo(f"warning: {note}", error=True)
    found.write(output)
    echo(f"{len(found):,} vectors of {found.values.shape[1]:,} numbers ({found.what}) are in {output}", error=True)
