"""Options that are fields of a section have its words and defaults."""

import inspect
import re
from typing import get_type_hints

import dlx as api
from dlx.commands import generate
from dlx.decoding.config import GenerationConfig


def options_of(command):
    hints = get_type_hints(command, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}


def test_every_field_of_decoding_is_an_option_of_generate():
    options = options_of(generate.command)
    for name, field in GenerationConfig.model_fields.items():
        assert options[name].default == (f"--{name.replace('_', '-')}")
        shown = options[name].show_default
        assert shown == (False if field.default in (None, ()) else str(field.default)), name
        assert inspect.signature(generate.command).parameters[name].default is None  # so that a spec sees what is given


def test_the_help_shows_the_defaults_of_the_section(dlx):
    shown = " ".join(re.sub("[│╭╮╰╯─]", " ", dlx("generate", "--help", light=True, COLUMNS="100").stdout).split())
    assert f"[default: ({GenerationConfig.model_fields['max_new_tokens'].default})]" in shown
    samples = inspect.signature(api.sample).parameters["n"].default
    assert f"How many: 1 text, {samples} samples." in shown
