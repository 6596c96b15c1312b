"""The memory that a training step takes is all that it holds together."""

from dataclasses import fields

from dlx.plan.memory import Memory


def test_the_total_counts_every_part():
    parts = {field.name: 10**i for i, field in enumerate(fields(Memory))}
    assert {"parameters", "gradients", "optimizer", "activations", "copies"} <= set(parts)
    assert Memory(**parts).total == sum(parts.values())
