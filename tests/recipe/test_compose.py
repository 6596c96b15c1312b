"""Several recipes, overrides, references and blocks to one tree."""

from textwrap import dedent

import pytest

from dlx.errors import RecipeError
from dlx.recipe.compose.compose import compose


@pytest.fixture
def write(tmp_path):
    def write(text, name="r.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    return write


def plain(path, *overrides):
    return compose(path, overrides).plain()


def refused(path, *overrides):
    with pytest.raises(RecipeError) as error:
        compose(path, overrides)
    return error.value.diagnostics


class TestExtends:
    def test_mappings_merge_lists_replace_later_wins(self, write):
        write("a: {x: 1, y: [1, 2]}\nb: base\nc: 1\n", "base/one.yaml")
        write("extends: one.yaml\na: {z: {k: 1}}\nc: 2\n", "base/two.yaml")
        write("c: 3\nd: null\n", "three.yaml")
        path = write("extends: [base/two.yaml, three.yaml]\na: {y: [3], z: {m: 2}}\nb: null\n")
        composed = compose(path)
        assert composed.plain() == {
            "extends": ["base/two.yaml", "three.yaml"],
            "a": {"x": 1, "y": [3], "z": {"k": 1, "m": 2}},
            "b": None,
            "c": 3,
            "d": None,
        }
        assert [f.name for f in composed.files] == ["r.yaml", "two.yaml", "one.yaml", "three.yaml"]
        assert composed.base == path.parent

    def test_every_value_remembers_what_it_replaced(self, write):
        write("\n\ntrain: {epochs: 1}\n", "base.yaml")
        node = compose(write("extends: base.yaml\ntrain: {epochs: 2}\n"), ["train.epochs=3"]).root.find(
            ("train", "epochs")
        )
        assert (node.value, node.file, node.line, node.column) == (3, "<command line>", 1, 14)
        assert [(m.file.rpartition("/")[2], m.line) for m in node.history] == [("base.yaml", 3), ("r.yaml", 2)]

    def test_fields_of_another_type_are_not_inherited(self, write):
        write("optimizer: {type: first, special: 1}\n", "base.yaml")
        assert plain(write("extends: base.yaml\noptimizer: {type: second, lr: 2}\n"))["optimizer"] == {
            "type": "second",
            "lr": 2,
        }
        assert plain(write("extends: base.yaml\noptimizer: {lr: 2}\n"))["optimizer"] == {
            "type": "first",
            "special": 1,
            "lr": 2,
        }

    @pytest.mark.parametrize(
        ("base", "later", "merged"),
        [
            ("{adamw: {lr: 1}}", "{adamw: {eps: 2}}", {"adamw": {"lr": 1, "eps": 2}}),
            ("{adamw: {lr: 1}}", "{type: adamw, eps: 2}", {"type": "adamw", "lr": 1, "eps": 2}),
            ("{type: adamw, lr: 1}", "{adamw: {eps: 2}}", {"type": "adamw", "lr": 1, "eps": 2}),
            ("{adamw: {lr: 1}}", "{eps: 2}", {"type": "adamw", "lr": 1, "eps": 2}),
            ("{adamw: {lr: 1}}", "{lr: 2}", {"type": "adamw", "lr": 2}),
            ("adamw", "{lr: 2}", {"type": "adamw", "lr": 2}),
            ("adamw", "{adamw: {lr: 2}}", {"type": "adamw", "lr": 2}),
            ("{adamw: {lr: 1}}", "{sgd: {momentum: 2}}", {"sgd": {"momentum": 2}}),
            ("{adamw: {lr: 1}}", "{type: sgd}", {"type": "sgd"}),
            ("{adamw: {lr: 1}}", "sgd", "sgd"),
            ("sgd", "{adamw: {lr: 1}}", {"adamw": {"lr": 1}}),
            ("{g: {adamw: {lr: 1}}, d: sgd}", "{g: {sgd: {lr: 2}}}", {"g": {"sgd": {"lr": 2}}, "d": "sgd"}),
            ("{g: {adamw: {lr: 1}}, d: sgd}", "{g: {lr: 2}}", {"g": {"type": "adamw", "lr": 2}, "d": "sgd"}),
            ("{adamw: {lr: 1}}", "{g: sgd, d: adamw}", {"g": "sgd", "d": "adamw"}),
            ("{g: sgd, d: adamw}", "{adamw: {lr: 1}}", {"adamw": {"lr": 1}}),
        ],
    )
    def test_a_component_is_changed_or_replaced_however_it_is_spelled(self, write, base, later, merged):
        write(f"optimizer: {base}\n", "base.yaml")
        assert plain(write(f"extends: base.yaml\noptimizer: {later}\n"))["optimizer"] == merged

    def test_named_maps_add(self, write):
        write("regularize: {grad_clip: {norm: 1}}\nmetrics: {accuracy: {}}\n", "base.yaml")
        found = plain(write("extends: base.yaml\nregularize: {ema: null}\nmetrics: {f1: {}}\n"))
        assert found["regularize"] == {"grad_clip": {"norm": 1}, "ema": None}
        assert found["metrics"] == {"accuracy": {}, "f1": {}}

    def test_a_file_that_two_others_extend_is_no_cycle(self, write):
        write("a: 1", "root.yaml")
        write("extends: root.yaml\nb: 1", "left.yaml")
        write("extends: root.yaml\nc: 1", "right.yaml")
        found = plain(write("extends: [left.yaml, right.yaml]"))
        assert (found["a"], found["b"], found["c"]) == (1, 1, 1)

    def test_a_cycle_is_told(self, write):
        write("extends: r.yaml", "other.yaml")
        (diagnostic,) = refused(write("a: 1\nextends: other.yaml"))
        assert diagnostic.code == "DLX201"
        assert "r.yaml → other.yaml → r.yaml" in diagnostic.message

    def test_files_that_multiply_are_stopped(self, write):
        write("a: 1", "0.yaml")
        for i in range(1, 30):
            write(f"extends: [{i - 1}.yaml, {i - 1}.yaml]", f"{i}.yaml")
        assert refused(write("extends: 29.yaml"))[0].code == "DLX201"

    def test_a_missing_base_is_blamed_on_the_line_that_names_it(self, write):
        (diagnostic,) = refused(write("a: 1\nextends: [none.yaml]"))
        assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("DLX101", 2, 11)

    @pytest.mark.parametrize("value", ["3", "{a: b}", "[1]", "''"])
    def test_it_takes_paths(self, write, value):
        assert refused(write(f"extends: {value}"))[0].code == "DLX202"


class TestReferences:
    def test_a_whole_reference_keeps_the_type(self, write):
        text = """
            vars: {n: 3, f: 1.5, t: true, none: null, l: [1, {k: "${vars.n}"}]}
            a: ["${vars.n}", "${ vars.f }", "${vars.t}", "${vars.none}", "${vars.l}", "${a.0}", "${vars.l.1.k}"]
        """
        assert plain(write(text))["a"] == [3, 1.5, True, None, [1, {"k": 3}], 3, 3]

    def test_a_partial_reference_is_text(self, write):
        text = 'vars: {n: 3, t: true, none: null}\na: "n${vars.n}-${vars.t}-${vars.none}-$5-{x}"'
        assert plain(write(text))["a"] == "n3-true-null-$5-{x}"

    def test_they_see_what_overrides_and_later_files_say(self, write):
        write('vars: {w: 1}\na: "${vars.w}"', "base.yaml")
        path = write("extends: base.yaml\nvars: {w: 2}")
        assert plain(path)["a"] == 2
        assert plain(path, "vars.w=3")["a"] == 3

    def test_environment(self, write, monkeypatch):
        monkeypatch.setenv("DLX_TEST", "hunter2")
        monkeypatch.setenv("DLX_NUMBER", "12")
        monkeypatch.setenv("DLX_OCTAL", "010")
        monkeypatch.delenv("DLX_NONE", raising=False)
        text = """
            a: "${env:DLX_TEST}"
            b: "${env:DLX_NONE,3}"
            c: "x-${env:DLX_NONE,a, b}"
            d: "${env:DLX_NUMBER}"
            e: "${env:DLX_OCTAL}"
            f: "${a}!"
        """
        composed = compose(write(text))
        found = composed.plain()
        assert (found["a"], found["b"], found["c"], found["d"], found["e"]) == ("hunter2", 3, "x-a, b", 12, "010")
        assert set(composed.secrets) == {"hunter2", "12", "010"}
        assert composed.root.find(("f",)).secret
        assert not composed.root.find(("b",)).secret

    @pytest.mark.parametrize(
        ("text", "code", "words"),
        [
            ('a: 1\nb: "${vars.x}"', "DLX203", ""),
            ('vars: {width: 1}\nb: "${vars.widht}"', "DLX203", "${vars.width}"),
            ('vars: {width: 1}\nb: "${width}"', "DLX203", "${vars.width}"),
            ('a: "${b}"\nb: "x${a}"', "DLX204", "→"),
            ('a: "${a}"', "DLX204", "→"),
            ('a: {b: "${a}"}', "DLX204", "→"),
            ('a: "${b"\nb: 1', "DLX205", "${section.field}"),
            ('a: "x${b}"\nb: [1]', "DLX205", "alone"),
            ('a: "${env:}"', "DLX205", "NAME"),
            ('a: "${env:DLX_NONE}"', "DLX206", "DLX_NONE"),
            ('a: "${}"', "DLX203", ""),
        ],
    )
    def test_a_wrong_one_is_told(self, write, text, code, words):
        found = refused(write(text))
        assert {d.code for d in found} == {code}
        assert any(words in d.message + d.suggestion for d in found)

    def test_all_wrong_ones_are_told_at_once(self, write):
        assert len(refused(write('a: "${x}"\nb: "${y}"\nc: "${env:DLX_NONE}"'))) == 3

    @pytest.mark.parametrize("body", ['["${vars.v%d}", "${vars.v%d}"]', '"${vars.v%d}${vars.v%d}"'])
    def test_references_that_multiply_are_stopped(self, write, body):
        lines = [f"  v{i}: {body % (i - 1, i - 1)}" for i in range(1, 60)]
        text = "vars:\n  v0: aaaaaaaa\n" + "\n".join(lines)
        assert refused(write(text))[0].code == "DLX103"

    def test_references_that_nest_are_stopped(self, write):
        lines = [f'  v{i}: ["${{vars.v{i - 1}}}"]' for i in range(1, 500)]
        assert refused(write("a: '${vars.v499}'\nvars:\n  v0: 1\n" + "\n".join(lines)))[0].code == "DLX103"


class TestOverrides:
    def test_values_are_yaml(self, write):
        found = plain(
            write("a: {b: 1}\nl: [1, {c: 2}]"), "a.b=1e-3", "a.c={x: [1, no]}", "l.1.c=null", "n.m.k='5'", "t= x y "
        )
        assert found == {
            "a": {"b": 0.001, "c": {"x": [1, "no"]}},
            "l": [1, {"c": None}],
            "n": {"m": {"k": "5"}},
            "t": "x y",
        }

    def test_a_claim_is_text(self, write):
        assert plain(write("a: 1"), "expect.test/accuracy=>= 0.9", "expect.x=<= 3")["expect"] == {
            "test/accuracy": ">= 0.9",
            "x": "<= 3",
        }

    def test_a_field_of_a_bare_name(self, write):
        composed = compose(write("optimizer: adamw"), ["optimizer.lr=0.1"])
        assert composed.plain()["optimizer"] == {"type": "adamw", "lr": 0.1}
        assert composed.root.find(("optimizer", "type")).file.endswith("r.yaml")

    @pytest.mark.parametrize(
        ("written", "override", "meant"),
        [
            ("{adamw: {lr: 1}}", "optimizer.lr=2", {"type": "adamw", "lr": 2}),
            ("{adamw: {lr: 1}}", "optimizer.adamw.lr=2", {"adamw": {"lr": 2}}),
            ("{adamw: null}", "optimizer.lr=2", {"type": "adamw", "lr": 2}),
            ("{type: adamw, lr: 1}", "optimizer.lr=2", {"type": "adamw", "lr": 2}),
            ("{g: {adamw: {lr: 1}}, d: sgd}", "optimizer.g.lr=2", {"g": {"type": "adamw", "lr": 2}, "d": "sgd"}),
            ("{adamw: {lr: 1}}", "optimizer=sgd", "sgd"),
        ],
    )
    def test_a_field_of_a_component_however_it_is_spelled(self, write, written, override, meant):
        assert plain(write(f"optimizer: {written}"), override)["optimizer"] == meant

    def test_a_field_beside_a_bare_value(self, write):
        found = plain(write("data: {source: {sklearn: iris}}"), "data.source.x=1")
        assert found["data"]["source"] == {"type": "sklearn", "dataset": "iris", "x": 1}

    @pytest.mark.parametrize(
        ("override", "code", "column"),
        [
            ("train", "DLX207", 1),
            ("=3", "DLX207", 1),
            ("a..b=3", "DLX207", 3),
            ("a=", "DLX207", 3),
            ("a= # nothing", "DLX207", 3),
            ("a.b=3", "DLX208", 3),
            ("l.7=3", "DLX208", 3),
            ("l.x=3", "DLX208", 3),
            ("l.x.y=3", "DLX208", 3),
            ("b=010", "DLX106", 3),
            ("b={c: [1, 1_000]}", "DLX106", 11),
            ("b=[1", "DLX104", 5),
            ("b=!!python/object:os.system x", "DLX107", 3),
            ("b={c: 1, c: 2}", "DLX105", 10),
        ],
    )
    def test_a_wrong_one_is_shown_on_the_command_line(self, write, override, code, column):
        (diagnostic,) = refused(write("a: 1\nl: [1]"), override)
        assert (diagnostic.file, diagnostic.line, diagnostic.column) == ("<command line>", 1, column)
        assert (diagnostic.code, diagnostic.source_line) == (code, override)

    def test_all_wrong_ones_are_told_at_once(self, write):
        assert len(refused(write("a: 1"), "x", "a.b=1", "c=010")) == 3


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
        return plain(write(BLOCKS % layers))["model"]["layers"]

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
        assert plain(write(BLOCKS % "[unit]"))["model"]["blocks"]["inner"]["layers"] == [{"linear": "${c}"}, "${kind}"]

    def test_a_definition_may_be_overridden(self, write):
        found = plain(write(BLOCKS % "[inner]"), "model.blocks.inner.parameters.c=9")
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
        (diagnostic,) = refused(write(BLOCKS % layers))
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
        found = refused(write(f"model: {{type: layers, blocks: {{b: {block}}}, layers: [b]}}"))
        assert {d.code for d in found} == {code}

    def test_blocks_that_multiply_are_stopped(self, write):
        lines = [f"    b{i}: [b{i - 1}, b{i - 1}]" for i in range(1, 40)]
        assert (
            refused(write("model:\n  layers: [b39]\n  blocks:\n    b0: [relu]\n" + "\n".join(lines)))[0].code
            == "DLX103"
        )

    def test_text_that_multiplies_is_stopped(self, write):
        lines = [
            f"    b{i}: {{parameters: {{x: a}}, layers: [{{b{i - 1}: {{x: '${{x}}${{x}}'}}}}]}}" for i in range(1, 40)
        ]
        assert refused(
            write(
                "model:\n  layers: [b39]\n  blocks:\n    b0: {parameters: {x: a}, layers: ['${x}']}\n"
                + "\n".join(lines)
            )
        )[0].code in (
            "DLX103",
            "DLX209",
        )
