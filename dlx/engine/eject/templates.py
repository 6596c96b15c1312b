"""The text of an ejected project: what stays the same from one recipe to another."""

from __future__ import annotations

MODEL = '''"""{title}: the network, and how it learns."""

from __future__ import annotations

{imports}

{copied}class {network}(nn.Module):
    """{summary}"""

    def __init__(self) -> None:
        super().__init__()
{layers}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return {forward}

{schedule}
class {module}(pl.LightningModule):
    """Trains the network by one loss of its output."""

    def __init__(self) -> None:
        super().__init__()
        self.network = {network}()
        self.criterion = {criterion}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        x, y = batch
        loss = self.criterion(self(x), y)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        self.evaluate(batch, "val")

    def test_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        self.evaluate(batch, "test")

    def evaluate(self, batch: list[torch.Tensor], split: str) -> None:
        """Log the loss{measured} of a split."""
        x, y = batch
        output = self(x)
        self.log(f"{{split}}/loss", self.criterion(output, y), on_step=False, on_epoch=True, batch_size=len(x))
{accuracy}
    def configure_optimizers(self) -> Any:
{optimizer}
'''

ACCURACY = """        accuracy = (output.argmax(1) == y).float().mean()
        self.log(f"{split}/accuracy", accuracy, on_step=False, on_epoch=True, batch_size=len(x))
"""

SCHEDULE = '''
def lr_factor(step: int) -> float:
    """Return the factor on the learning rate at a step."""
{warmup}    return {formula}

'''

WARMUP = """    if step < {warmup}:
        return (step + 1) / ({warmup} + 1)
    step -= {warmup}
"""

TRAIN = '''"""Trains {title}.

    pip install -r requirements.txt
    python train.py

The samples are in data.npz as the network takes them; the trained weights are written to weights.safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Sampler, TensorDataset

from model import {module}

SEED = {seed}
EPOCHS = {epochs}
BATCH_SIZE = {batch_size}
FOLDER = Path(__file__).parent


class ShuffledBatches(Sampler[list[int]]):
    """Batches of sample numbers; the order of an epoch follows from the seed and the epoch alone."""

    def __init__(self, count: int) -> None:
        self.count, self.epoch = count, 0

    def __len__(self) -> int:
        return len(self.batches(0))

    def __iter__(self) -> Iterator[list[int]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        yield from self.batches(epoch)

    def batches(self, epoch: int) -> list[list[int]]:
        order = np.random.Generator(np.random.Philox(key=[SEED, epoch])).permutation(self.count)
        cut = [order[i : i + BATCH_SIZE].tolist() for i in range(0, self.count, BATCH_SIZE)]
        return [batch for batch in cut if len(batch) > 1 or len(cut) == 1]  # one sample has no batch statistics


def dataset(arrays: np.lib.npyio.NpzFile, split: str) -> TensorDataset:
    return TensorDataset(torch.from_numpy(arrays[f"x_{{split}}"]), torch.from_numpy(arrays[f"y_{{split}}"]))


def main() -> None:
    torch.set_num_threads({num_threads})
    pl.seed_everything(SEED)
    module = {module}()
    arrays = np.load(FOLDER / "data.npz")
    own = torch.Generator()  # loaders do not draw from the generator of dropout
    samples = dataset(arrays, "train")
    train = DataLoader(samples, batch_sampler=ShuffledBatches(len(samples)), generator=own)
{loaders}
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="{accelerator}",
        devices=1,
        deterministic={deterministic},
        callbacks=[{callbacks}],
        logger=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch={val_every},{no_checkpoint}
    )
{fit}
    save_file(module.network.state_dict(), FOLDER / "weights.safetensors")


if __name__ == "__main__":
    main()
'''

BEST = """    best = ModelCheckpoint(
        dirpath=FOLDER, filename="best", monitor="val/loss", mode="min", enable_version_counter=False
    )
"""

FIT_BEST = """    trainer.fit(module, train, val)
    module.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
"""
FIT = """    trainer.fit(module, train)
"""
TEST = """    trainer.test(module, test)
"""
