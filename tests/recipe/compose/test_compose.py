"""Several recipes, overrides and references to one tree."""

import pytest
from kit import compose_errors, composed

from dlx.recipe.compose.compose import compose


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
        assert composed(write("extends: base.yaml\noptimizer: {type: second, lr: 2}\n"))["optimizer"] == {
            "type": "second",
            "lr": 2,
        }
        assert composed(write("extends: base.yaml\noptimizer: {lr: 2}\n"))["optimizer"] == {
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
        assert composed(write(f"extends: base.yaml\noptimizer: {later}\n"))["optimizer"] == merged

    def test_named_maps_add(self, write):
        write("regularize: {grad_clip: {norm: 1}}\nmetrics: {accuracy: {}}\n", "base.yaml")
        found = composed(write("extends: base.yaml\nregularize: {ema: null}\nmetrics: {f1: {}}\n"))
        assert found["regularize"] == {"grad_clip": {"norm": 1}, "ema": None}
        assert found["metrics"] == {"accuracy": {}, "f1": {}}

    def test_a_file_that_two_others_extend_is_no_cycle(self, write):
        write("a: 1", "root.yaml")
        write("extends: root.yaml\nb: 1", "left.yaml")
        write("extends: root.yaml\nc: 1", "right.yaml")
        found = composed(write("extends: [left.yaml, right.yaml]"))
        assert (found["a"], found["b"], found["c"]) == (1, 1, 1)

    def test_a_cycle_is_told(self, write):
        write("extends: r.yaml", "other.yaml")
        (diagnostic,) = compose_errors(write("a: 1\nextends: other.yaml"))
        assert diagnostic.code == "DLX201"
        assert "r.yaml → other.yaml → r.yaml" in diagnostic.message

    def test_files_that_multiply_are_stopped(self, write):
        write("a: 1", "0.yaml")
        for i in range(1, 30):
            write(f"extends: [{i - 1}.yaml, {i - 1}.yaml]", f"{i}.yaml")
        assert compose_errors(write("extends: 29.yaml"))[0].code == "DLX201"

    def test_a_missing_base_is_blamed_on_the_line_that_names_it(self, write):
        (diagnostic,) = compose_errors(write("a: 1\nextends: [none.yaml]"))
        assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("DLX101", 2, 11)

    @pytest.mark.parametrize("value", ["3", "{a: b}", "[1]", "''"])
    def test_it_takes_paths(self, write, value):
        assert compose_errors(write(f"extends: {value}"))[0].code == "DLX202"


class TestReferences:
    def test_a_whole_reference_keeps_the_type(self, write):
        text = """
            vars: {n: 3, f: 1.5, t: true, none: null, l: [1, {k: "${vars.n}"}]}
            a: ["${vars.n}", "${ vars.f }", "${vars.t}", "${vars.none}", "${vars.l}", "${a.0}", "${vars.l.1.k}"]
        """
        assert composed(write(text))["a"] == [3, 1.5, True, None, [1, {"k": 3}], 3, 3]

    def test_a_partial_reference_is_text(self, write):
        text = 'vars: {n: 3, t: true, none: null}\na: "n${vars.n}-${vars.t}-${vars.none}-$5-{x}"'
        assert composed(write(text))["a"] == "n3-true-null-$5-{x}"

    def test_they_see_what_overrides_and_later_files_say(self, write):
        write('vars: {w: 1}\na: "${vars.w}"', "base.yaml")
        path = write("extends: base.yaml\nvars: {w: 2}")
        assert composed(path)["a"] == 2
        assert composed(path, "vars.w=3")["a"] == 3

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
        found = compose_errors(write(text))
        assert {d.code for d in found} == {code}
        assert any(words in d.message + d.suggestion for d in found)

    def test_all_wrong_ones_are_told_at_once(self, write):
        assert len(compose_errors(write('a: "${x}"\nb: "${y}"\nc: "${env:DLX_NONE}"'))) == 3

    @pytest.mark.parametrize("body", ['["${vars.v%d}", "${vars.v%d}"]', '"${vars.v%d}${vars.v%d}"'])
    def test_references_that_multiply_are_stopped(self, write, body):
        lines = [f"  v{i}: {body % (i - 1, i - 1)}" for i in range(1, 60)]
        text = "vars:\n  v0: aaaaaaaa\n" + "\n".join(lines)
        assert compose_errors(write(text))[0].code == "DLX103"

    def test_references_that_nest_are_stopped(self, write):
        lines = [f'  v{i}: ["${{vars.v{i - 1}}}"]' for i in range(1, 500)]
        assert compose_errors(write("a: '${vars.v499}'\nvars:\n  v0: 1\n" + "\n".join(lines)))[0].code == "DLX103"


class TestOverrides:
    def test_values_are_yaml(self, write):
        found = composed(
            write("a: {b: 1}\nl: [1, {c: 2}]"), "a.b=1e-3", "a.c={x: [1, no]}", "l.1.c=null", "n.m.k='5'", "t= x y "
        )
        assert found == {
            "a": {"b": 0.001, "c": {"x": [1, "no"]}},
            "l": [1, {"c": None}],
            "n": {"m": {"k": "5"}},
            "t": "x y",
        }

    def test_a_claim_is_text(self, write):
        assert composed(write("a: 1"), "expect.test/accuracy=>= 0.9", "expect.x=<= 3")["expect"] == {
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
        assert composed(write(f"optimizer: {written}"), override)["optimizer"] == meant

    def test_a_field_beside_a_bare_value(self, write):
        found = composed(write("data: {source: {sklearn: iris}}"), "data.source.x=1")
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
        (diagnostic,) = compose_errors(write("a: 1\nl: [1]"), override)
        assert (diagnostic.file, diagnostic.line, diagnostic.column) == ("<command line>", 1, column)
        assert (diagnostic.code, diagnostic.source_line) == (code, override)

    def test_all_wrong_ones_are_told_at_once(self, write):
        assert len(compose_errors(write("a: 1"), "x", "a.b=1", "c=010")) == 3
