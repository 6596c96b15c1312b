"""`dlx doctor` names what is missing and the command that installs it."""

import json

from dlx.installation import extras, install_command, requirements


def test_it_names_every_requirement_device_and_extra(dlx, tmp_path):
    result = dlx("doctor", "--json", cwd=tmp_path, heavy=True)
    found = {f["name"]: f for f in json.loads(result.stdout)}
    names = {line.partition(">")[0].partition("<")[0] for line in requirements()}
    assert {"python", "device", "threads", "tracker", "cache", "runs", *names} <= set(found)
    assert {name.strip("[]") for name in found if name.startswith("[")} == set(extras())
    assert all(f["fine"] for name, f in found.items() if name in names)


def test_an_absent_optional_package_is_named_with_its_command(tmp_path, monkeypatch, capsys):
    from dlx.commands import doctor

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlx.installation.extras", lambda: {"vision": ["no-such-package>=1"]})
    (found,) = doctor._extras()
    assert found.fine and "no-such-package" in found.state and found.help == install_command("vision")


def test_an_old_package_is_not_fine():
    from dlx.commands import doctor

    found = doctor._package("rich>=9999")
    assert not found.fine and found.help == "pip install 'rich>=9999'"
