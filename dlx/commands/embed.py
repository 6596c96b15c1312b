"""Compute embeddings of inputs with a trained run."""

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
    """Compute embeddings of inputs with a trained run.

    Each sample gets one vector: the latent code of an autoencoder, the mean of a VAE's posterior, the features of a
    self-supervised encoder, and otherwise the input of the last layer with weights.
    """
    import dlx
    from dlx.commands._show import open_run
    from dlx.engine.inference.files import check_embedding_file

    check_embedding_file(output)
    found = dlx.embed(open_run(run), inputs)
    for note in found.notes:
        echo(f"warning: {note}", error=True)
    found.write(output)
    echo(f"{len(found):,} vectors of {found.values.shape[1]:,} numbers ({found.what}) in {output}", error=True)
