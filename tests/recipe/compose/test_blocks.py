"""Blocks: layers under names of the user's own, written out where they are used."""

import pytest
from kit import compose_errors, composed

from dlx.recipe.compose.compose import compose

BLOCKS = """
    vars: {width: 8}
    model:
      type: layers
      blocks:
        unit: [{linear: 1}]
        inner: {parameters: {c: 3, kind: relu}, layers: [{linear: "${c}"}, "${kind}"]}
        outer:
          parameters: [n]
          layers:
            - {residual: {layers: [{inner: {c: "${n}"}}], shortcut: unit}}
            - {conv: {channels: "${n}", name: "conv-${n}-${vars.width}"}}
      layers: %s
"""


def sequence(*layers, **fields):
    return {"type": "sequential", "layers": list(layers), **fields}


class TestBlocks:
    def layers(self, write, layers):
        return composed(write(BLOCKS % layers))["model"]["layers"]

    def test_every_spelling_of_a_use(self, write):
        expected = sequence({"linear": 5}, "relu")
        used = self.layers(
            write, "[{inner: {c: 5}}, {type: inner, c: 5}, inner, {inner: null}, {stem: {inner: {c: 5}}}, unit]"
        )
        default = sequence({"linear": 3}, "relu")
        assert used == [expected, expected, default, default, {"stem": expected}, sequence({"linear": 1})]

    def test_blocks_use_blocks_and_references(self, write):
        (used,) = self.layers(write, '[{outer: "${vars.width}"}]')
        inner = sequence({"linear": 8}, "relu")
        residual = {"residual": {"layers": [inner], "shortcut": sequence({"linear": 1})}}
        assert used == sequence(residual, {"conv": {"channels": 8, "name": "conv-8-8"}})

    def test_a_block_given_to_a_block_is_no_recursion(self, write):
        (used,) = self.layers(write, "[{inner: {kind: {inner: {kind: unit}}}}]")
        assert used == sequence({"linear": 3}, sequence({"linear": 3}, sequence({"linear": 1})))

    def test_the_name_of_a_use_names_the_sequence(self, write):
        assert self.layers(write, "[{inner: {name: unit}}]") == [sequence({"linear": 3}, "relu", name="unit")]

    def test_definitions_stay_as_they_are(self, write):
        assert composed(write(BLOCKS % "[unit]"))["model"]["blocks"]["inner"]["layers"] == [
            {"linear": "${c}"},
            "${kind}",
        ]

    def test_a_definition_may_be_overridden(self, write):
        found = composed(write(BLOCKS % "[inner]"), "model.blocks.inner.parameters.c=9")
        assert found["model"]["layers"] == [sequence({"linear": 9}, "relu")]

    def test_an_expanded_node_knows_definition_and_use(self, write):
        root = compose(write(BLOCKS % "[{inner: {c: 5}}]")).root
        argument = root.find(("model", "layers", 0, "layers", 0, "linear"))
        body = root.find(("model", "layers", 0, "layers", 0))
        assert argument.line == 13
        assert (body.line, [m.line for m in body.via]) == (7, [13])

    @pytest.mark.parametrize(
        ("layers", "code", "words"),
        [
            ("[{inner: {channels: 1}}]", "DLX209", "c, kind"),
            ("[{inner: {kindd: 1}}]", "DLX209", "'kind'"),
            ("[outer]", "DLX212", "n"),
            ("[{inner: 5}]", "DLX211", "{inner: {c: …, kind: …}}"),
        ],
    )
    def test_a_wrong_use_is_told(self, write, layers, code, words):
        (diagnostic,) = compose_errors(write(BLOCKS % layers))
        assert diagnostic.code == code
        assert words in diagnostic.message + diagnostic.suggestion

    @pytest.mark.parametrize(
        ("block", "code"),
        [
            ("{layers: [b]}", "DLX210"),
            ("{parameters: {x: 1}}", "DLX211"),
            ("{layers: [], parameter: {}}", "DLX211"),
            ("{layers: relu}", "DLX211"),
            ("{layers: [], parameters: 3}", "DLX211"),
            ("3", "DLX211"),
            ('{parameters: {width: 1}, layers: [{linear: "${widht}"}]}', "DLX209"),
        ],
    )
    def test_a_wrong_definition_is_told(self, write, block, code):
        found = compose_errors(write(f"model: {{type: layers, blocks: {{b: {block}}}, layers: [b]}}"))
        assert {d.code for d in found} == {code}

    def test_blocks_that_multiply_are_stopped(self, write):
        lines = [f"    b{i}: [b{i - 1}, b{i - 1}]" for i in range(1, 40)]
        assert (
            compose_errors(write("model:\n  layers: [b39]\n  blocks:\n    b0: [relu]\n" + "\n".join(lines)))[0].code
            == "DLX103"
        )

    def test_text_that_multiplies_is_stopped(self, write):
        lines = [
            f"    b{i}: {{parameters: {{x: a}}, layers: [{{b{i - 1}: {{x: '${{x}}${{x}}'}}}}]}}" for i in range(1, 40)
        ]
        assert compose_errors(
            write(
                "model:\n  layers: [b39]\n  blocks:\n    b0: {parameters: {x: a}, layers: ['${x}']}\n"
                + "\n".join(lines)
            )
        )[0].code in (
            "DLX103",
            "DLX209",
        )
