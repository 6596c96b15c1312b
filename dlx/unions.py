"""Union fields: one error for a value that fits no member, instead of one error for each member."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError


def single_error(expected: str) -> WrapValidator:
    """Return a validator that reports what a union field expects, as in "should be auto, or a positive number"."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("union", "should be {expected}", {"expected": expected}) from None

    return WrapValidator(validate)
