"""Inverse link functions, as generalized linear models call them: from a network's output to its prediction."""

from typing import Literal

InverseLink = Literal["identity", "exp", "softmax", "sigmoid", "sparsemax", "clip"]
