"""Scenario files: what is wrong is told in one line with file, line, key and remedy; the rest is merged and hashed."""

from __future__ import annotations

import csv
import gzip
import json

import pytest
from pydantic import BaseModel

from scenarios.loader import all_keys, catalogue, load, scenario_hash, section_at
from scenarios.printer import scenario_yaml
from scenarios.schema import Scenario, json_schema
from twin.errors import ScenarioError

GOOD = "name: mine\nextends: ordinary-day\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def put(text, name="mine.yaml"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name if name.endswith(".yaml") else f"./{name}"

    return put


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD + "order_path:\n  core:\n    capcity: 8000/s\n",
            "mine.yaml:5 order_path.core.capcity = 8000/s: unknown key. Did you mean 'capacity'?",
        ),
        (
            GOOD + "order_path: {core: {capacity: 8000}}\n",
            "mine.yaml:3 order_path.core.capacity = 8000: the unit is missing. "
            'Write it like "2500/s" or "90/min" (/ms, /s, /min, /h). "unlimited" is allowed too.',
        ),
        (
            GOOD + "order_path:\n  core:\n    service_time: 5 CNY\n",
            "mine.yaml:5 order_path.core.service_time = 5 CNY: 'CNY' is not a unit of time. "
            'Write it like "25 min", "8 s" or "50 ms" (ns, us, ms, s, min, h, d).',
        ),
        (
            GOOD + "clearing:\n  batch_rate: -3000/s\n",
            "mine.yaml:4 clearing.batch_rate = -3000/s: a rate cannot be negative. "
            'Write it like "2500/s" or "90/min" (/ms, /s, /min, /h).',
        ),
        (
            GOOD + "date: 2026-10-01\n",
            "mine.yaml:3 date = 2026-10-01: is not a trading day in Shanghai. "
            "The nearest are 2026-09-30 and 2026-10-08.",
        ),
        (GOOD + "date: tomorrow\n", "mine.yaml:3 date = tomorrow: not a date. Write it like 2026-09-15."),
        (GOOD + "seed: 1\nseed: 2\n", "mine.yaml:4: the key 'seed' appears twice. Keep one."),
        (GOOD + "clients:\n\tcount: 5\n", "mine.yaml:4: a tab in the indentation. Use spaces."),
        (
            GOOD + "clients: 5\n",
            "mine.yaml:3 clients = 5: a section is expected. "
            "Its keys are count, mix, retail, gen_z, hnw, attention, login, retry, call.",
        ),
        (GOOD + "clients:\n", "mine.yaml:3 clients = (empty): a section is expected."),
        (
            GOOD + "clients:\n  mix: {retail: 0.5}\n",
            "mine.yaml:4 clients.mix: the shares sum to 0.82 (retail 0.5, gen_z 0.3, hnw 0.02). They have to sum to 1.",
        ),
        (
            GOOD + "order_path:\n  suitability:\n    on_timeout: pas\n",
            "mine.yaml:5 order_path.suitability.on_timeout = pas: not one of the choices. Did you mean 'pass'?",
        ),
        (
            GOOD + "service_desk:\n  staff:\n    agents: some\n",
            "mine.yaml:5 service_desk.staff.agents = some: not a whole",
        ),
        (
            GOOD + "clients:\n  retail:\n    risk_classes: [1, 0]\n",
            "mine.yaml:5 clients.retail.risk_classes: five shares are expected. Give a list of the shares of C1 to C5.",
        ),
        (
            GOOD + "world:\n  index:\n    high: -1%\n",
            "mine.yaml:4 world.index: high (-1.00%) lies below another value of the day. It is the highest value.",
        ),
        (GOOD + "capacity: 8000/s\n", "mine.yaml:3 capacity = 8000/s: unknown key. Did you mean 'order_path."),
        (
            GOOD + "world: {instruments: 0}\n",
            "mine.yaml:3 world.instruments = 0: out of range. It has to be at least 1.",
        ),
        (GOOD + "world: {instruments: [}\n", "mine.yaml:3: not valid YAML ("),
        (GOOD + "1: 2\n", "mine.yaml:3: the key 1 is not a word. Keys are words."),
        ("", "mine.yaml: is empty. A scenario has at least `name` or `extends`."),
        ("# nothing\n", "mine.yaml: is empty."),
        ("- a\n", "mine.yaml: is not a set of keys. Begin with `name: my-scenario`."),
        (b"name: \xff\xfe\n", "mine.yaml: is not UTF-8 text. Save it as UTF-8."),
        (GOOD + "clients: " + "{a: " * 14 + "1" + "}" * 14 + "\n", "mine.yaml: clients.a.a.a... is nested too deeply."),
        (
            "name: My Scenario\n",
            "mine.yaml:1 name = My Scenario: not a name. Use lower-case letters, digits and hyphens.",
        ),
        (
            "name: mine\nextends: ordinay-day\n",
            "mine.yaml:2 extends = ordinay-day: there is no such scenario. Did you mean 'ordinary-day'?",
        ),
        (
            "name: mine\nextends: mine.yaml\n",
            "mine.yaml:2 extends = mine.yaml: the scenarios extend each other (mine -> mine). Break the circle.",
        ),
    ],
)
def test_a_wrong_file_gives_one_clear_line(write, text, message):
    with pytest.raises(ScenarioError) as error:
        load(write(text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_first_error_of_the_file_is_the_one_told(write):
    name = write(GOOD + "clients:\n  count: -1\nclearing:\n  batch_rate: 1\n")
    with pytest.raises(ScenarioError, match=r"mine.yaml:4 clients.count"):
        load(name)


def test_a_missing_file_a_folder_and_an_unknown_name_are_told_apart(write, tmp_path):
    with pytest.raises(ScenarioError, match=r"nope.yaml: cannot be read"):
        load("nope.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ScenarioError, match=r"folder.yaml: is a folder"):
        load("folder.yaml")
    with pytest.raises(ScenarioError, match=r"there is no scenario 'extrem'. Did you mean 'extreme-day'"):
        load("extrem")
    with pytest.raises(ScenarioError, match=r"The catalogue has .*extreme-day, .*ordinary-day"):
        load("zzzzzz")


def test_parents_merge_key_by_key_and_the_child_wins(write):
    write("extends: extreme-day\nseed: 5\nclients: {gen_z: {panic: 0.9}, count: 7}\n", "middle.yaml")
    child = load(write("extends: middle\nclients: {count: 8}\n", "child.yaml"))
    extreme = load("extreme-day")
    assert (child.name, child.seed, child.clients.count, child.clients.gen_z.panic) == ("child", 5, 8, 0.9)
    assert child.world == extreme.world
    assert child.clients.gen_z.orders_per_active == extreme.clients.gen_z.orders_per_active
    assert child.title.en == ""  # a story is not inherited: it would be told of another day


def test_a_circle_of_parents_is_named(write):
    write("extends: b\n", "a.yaml")
    write("extends: c\n", "b.yaml")
    write("extends: a\n", "c.yaml")
    with pytest.raises(ScenarioError, match=r"c.yaml:1 extends = a: .*a -> b -> c -> a"):
        load("a.yaml")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("order_path.core.capcity=1/s", "--set order_path.core.capcity = 1/s: unknown key. Did you mean 'capacity'?"),
        ("order_path.core.capacity=5 CNY", "--set order_path.core.capacity = 5 CNY: 'CNY' is not a unit of rate."),
        ("date=2026-10-01", "--set date = 2026-10-01: is not a trading day in Shanghai."),
        ("date=2099-10-01", "--set date = 2099-10-01: is outside the trading calendar. It runs from 1990-12-19 to"),
        ("world.index.high=-1%", "--set world.index: high (-1.00%) lies below another value of the day."),
        (
            "onboarding.process=account-openning",
            "--set onboarding.process = account-openning: there is no such process. Did you mean 'account-opening'?",
        ),
        (
            "service_desk.staff.agent=3",
            "--set service_desk.staff.agent = 3: service-desk has no such pool. Did you mean 'agents'?",
        ),
        (
            "world.background.parameters=../secret.yaml",
            "--set world.background.parameters = ../secret.yaml: there is no such parameter file.",
        ),
        ("clients.count.x=3", "--set clients.count.x: clients.count is a value, not a section."),
        ("foo", "--set: 'foo' is not a setting. Write key=value, such as order_path.core.capacity=8000/s."),
        ("a..b=1", "--set: 'a..b=1' is not a setting."),
        ("clients.count=", "--set: 'clients.count=' is not a setting."),
        ("clients.count=[1", "--set clients.count: not valid YAML"),
        ("extends=other", "--set extends: a setting cannot change the parent."),
    ],
)
def test_a_wrong_setting_is_told_like_a_wrong_file(setting, message):
    with pytest.raises(ScenarioError) as error:
        load("ordinary-day", [setting])
    assert message in str(error.value)


def test_the_last_day_of_the_calendar_has_no_next_one():
    from twin.clock import calendar_bounds

    with pytest.raises(ScenarioError, match="is the last day of the trading calendar"):
        load("ordinary-day", [f"date={calendar_bounds()[1]}"])


def test_settings_change_one_value_in_order():
    plain = load("ordinary-day")
    changed = load("ordinary-day", ["clients.count=1000", "order_path.core.capacity=unlimited", "clients.count=2000"])
    assert changed.clients.count == 2000
    assert changed.order_path.core.capacity is None
    assert changed.order_path.core.service_time == plain.order_path.core.service_time
    staffed = load("ordinary-day", ["service_desk.staff={agents: 9}", "service_desk.staff.agents=unlimited"])
    assert staffed.service_desk.staff == {"agents": None}


def test_the_hash_sees_what_acts_and_nothing_else():
    plain = load("ordinary-day")
    digest = scenario_hash(plain)
    assert digest == scenario_hash(load("ordinary-day", ["order_path.core.capacity=480000/min"]))
    assert digest == scenario_hash(load("ordinary-day", ["seed=7", "title.en=Another", "name=other"]))
    assert digest != scenario_hash(load("ordinary-day", ["order_path.core.capacity=8001/s"]))
    assert digest != scenario_hash(load("ordinary-day", ["date=2026-09-16"]))


@pytest.mark.parametrize("name", [entry.name for entry in catalogue()])
def test_a_catalogue_scenario_is_named_told_and_printed_so_that_it_loads_again(name, write):
    scenario = load(name)
    assert scenario.name == name
    for text in (scenario.title, scenario.story):
        assert text.en
        assert any("一" <= c <= "鿿" for c in text.zh)
        assert " " not in text.zh
    for explain in (False, True):
        assert load(write(scenario_yaml(scenario, explain=explain), "again.yaml")) == scenario
    assert Scenario.model_validate(json.loads(json.dumps(scenario.model_dump(mode="json")))) == scenario


def test_only_the_world_changes_on_the_extreme_day():
    ordinary, extreme, rush = (load(n).canonical() for n in ("ordinary-day", "extreme-day", "opening-rush"))
    assert [key for key in ordinary if ordinary[key] != extreme[key]] == ["world"]
    assert [key for key in ordinary["world"] if ordinary["world"][key] != extreme["world"][key]] == ["index"]
    assert [key for key in ordinary if ordinary[key] != rush[key]] == ["world", "onboarding"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "day"), [("ordinary-day", "2026-07-08"), ("extreme-day", "2025-04-07"), ("opening-rush", "2024-10-08")]
)
def test_the_index_of_a_scenario_is_the_recorded_one(name, day, shared_data):
    with gzip.open(shared_data / "market/daily_cn/sh000001.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    place = next(i for i, row in enumerate(rows) if row["date"] == day)
    before = float(rows[place - 1]["close"])
    index = load(name).world.index
    for key in ("open", "high", "low", "close"):
        assert getattr(index, key) == pytest.approx(float(rows[place][key]) / before - 1, abs=6e-5)


def test_every_key_of_the_schema_is_explained_with_its_source():
    for keys in all_keys():
        section = section_at(keys[:-1])
        assert section is not None
        info = section.model_fields[keys[-1]]
        assert info.description, keys
        is_section = isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        told = (
            is_section
            or len(keys) == 1
            or keys[0] in ("title", "story")
            or "(" in info.description
            or "row" in info.description
        )
        assert told or keys[-1] in ("parameters", "process", "staff"), f"{'.'.join(keys)} names no source"


def test_the_json_schema_forbids_unknown_keys_and_writes_defaults_with_units():
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
    assert schema["$defs"]["Core"]["properties"]["capacity"]["default"] == "8000/s"
    assert schema["properties"]["clients"]["default"]["hnw"]["assets_median"] == "2000000 CNY"
    assert schema["required"] == ["name"]
