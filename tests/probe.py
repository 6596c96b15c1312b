"""A small Lightning module that notes what callbacks do to it."""

import pytorch_lightning as pl
import torch
from torch import nn

from dlx.regularizers import Regularizer


def regularizer(value):
    return Regularizer.model_validate(value)


class Probe(pl.LightningModule):
    """A network whose gradient is chosen by its data, and which notes what it saw."""

    def __init__(self, lr=0.1, make=torch.optim.SGD, losses=None):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.lr, self.make, self.losses = lr, make, losses
        self.gradients, self.weights, self.evaluated, self.summed_up, self.rates = [], [], [], [], []

    def training_step(self, batch, batch_idx):
        x, y = batch
        return (self.net(x).squeeze(1) - y).square().mean()

    def validation_step(self, batch, batch_idx):
        self.evaluated.append(flat(self.net))

    def on_validation_epoch_end(self):
        self.summed_up.append(flat(self.net))
        if self.losses is not None:
            self.log("val/loss", self.losses[self.current_epoch])

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.weights.append(flat(self.net))
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.gradients.append(torch.cat([p.grad.flatten() for p in self.net.parameters()]))

    def configure_optimizers(self):
        return self.make(self.parameters(), lr=self.lr)


def flat(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def batches(count=4, size=8, scale=1.0):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count * size, 3, generator=generator)
    y = scale * torch.randn(count * size, generator=generator)
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=size)


def trainer(callbacks, epochs=1, **more):
    return pl.Trainer(
        max_epochs=epochs,
        callbacks=callbacks,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **{"enable_checkpointing": False, **more},
    )


def fit(values, epochs=1, probe=None, data=None, checkpoint=None, validate=False, **more):
    probe = probe or Probe()
    made = trainer([regularizer(v).callback() for v in values], epochs, **more)
    data = data or batches()
    made.fit(probe, data, data if validate else None, ckpt_path=checkpoint, weights_only=True)
    probe.made = made
    return probe


class SaveAfter(pl.callbacks.Checkpoint):
    """Saves at the end of an epoch, after all other callbacks."""

    def __init__(self, epochs, path):
        self.epochs, self.path = epochs, path

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epochs - 1:
            trainer.save_checkpoint(self.path)
