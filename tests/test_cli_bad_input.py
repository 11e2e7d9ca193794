"""Bad input gives one clear error that says where, before work begins, and a status that is not 0."""

from __future__ import annotations

import gzip

import pytest

from dashboards.cli import app, execute
from twin.errors import DataError
from twin.process.eventlog.files import read_log

HEAD = "case,activity,resource,start,end\n"
ROW = "1,a,x,2026-09-07T09:00:00Z,2026-09-07T10:00:00Z\n"
PROCESS = """name: t
start: A
pools: {desk: {staff: 2}}
arrivals: {gap: 10 min}
nodes:
  A: {kind: task, pool: desk, service: 5 min, next: out}
  out: {kind: end}
"""
FILES = {
    "ok.csv": HEAD + ROW,
    "empty.csv": "",
    "head.csv": HEAD,
    "other.csv": "a,b,c\n1,2,3\n",
    "gbk.csv": "案例,活动\n1,开户\n".encode("gbk"),
    "rubbish.xes": bytes(range(256)),
    "cut.csv.gz": gzip.compress((HEAD + ROW * 500).encode())[:60],
    "list.jsonocel": "[1]",
    "gbk.jsonocel": "{案}".encode("gbk"),
    "mixed.csv": HEAD + "1,a,x,27/9/2026 9:00,28/9/2026 9:00\n1,a,x,9/27/2026 9:00,9/28/2026 9:00\n",
    "ok.yaml": PROCESS,
    "typo.yaml": PROCESS.replace("service", "servise"),
    "gbk.yaml": PROCESS.replace("name: t", "name: 开户").encode("gbk"),
}
CASES = [
    ("log check empty.csv", "empty.csv: there is nothing in its first line"),
    ("log check head.csv", "head.csv: no row in it"),
    ("log check other.csv", "It has a, b, c. Say which one it is with `--column case=NAME`"),
    ("log check gbk.csv", "gbk.csv: no column is the end. It has 案例, 活动."),
    ("log check rubbish.xes", "rubbish.xes:1: not well-formed XML"),
    ("log check cut.csv.gz", "cut.csv.gz: cannot be read: Compressed file ended"),
    ("log check list.jsonocel", "list.jsonocel: not OCEL 2.0: it is no object"),
    ("log check gbk.jsonocel", "gbk.jsonocel: not in UTF-8"),
    ("log check mixed.csv", "column 'start', row 3: '9/27/2026 9:00' has the month first"),
    ("log check .", "is a folder"),
    ("log check ok.csv --zone Mars/City", "--zone: 'Mars/City' is not a time zone. Write it like Asia/Shanghai."),
    ("log check nobody.csv", "nobody.csv: there is no such file"),
    ("log split ok.csv --test 2", "--test: 2 is not a share"),
    ("log split ok.csv --out ok.yaml", "ok.yaml: is a file where a folder is wanted"),
    ("log convert ok.csv none/x.csv", "none/x.csv: its folder is not there. Make none first."),
    ("log map ok.csv --out none/x.svg", "its folder is not there"),
    ("log check", "See `twin log check --help`"),
    ("process check typo.yaml", "typo.yaml:6 nodes.A.servise: unknown key 'servise'. Did you mean 'service'?"),
    ("process check gbk.yaml", "gbk.yaml: not in UTF-8"),
    ("process check nobody.yaml", "nobody.yaml: there is no such file"),
    ("process check nobody", "`twin process compare` lists the names"),
    ("process run ok.yaml --out ok.csv", "ok.csv: is a file where a folder is wanted"),
    ("process run ok.yaml --log none/x.csv", "its folder is not there"),
    ("process draw ok.yaml --out .", "is a folder"),
    ("process convert ok.yaml none/x.yaml", "its folder is not there"),
    ("discover ok.csv --out none/p.yaml", "its folder is not there"),
    ("discover ok.csv --pictures ok.yaml", "is a file where a folder is wanted"),
    ("simulate-log gbk.yaml --like ok.csv --out x.csv", "gbk.yaml: not in UTF-8"),
    ("call-centre fit ok.yaml --out c.yaml", "ok.yaml: "),
    ("call-centre fit gbk.csv --out c.yaml", "gbk.csv: not in UTF-8"),
    ("call-centre fit empty.csv --out c.yaml", "empty.csv: cannot be read: No columns to parse from file"),
    ("call-centre fit . --months 5-1 --out c.yaml", "--months: '5-1' runs backwards"),
    ("call-centre predict gbk.yaml --against ok.csv --month 6", "gbk.yaml: not in UTF-8"),
    ("forecast ok.csv --horizon 1d --out ok.yaml", "is a file where a folder is wanted"),
    ("watch gbk.csv --horizon 1d --once", "gbk.csv: no column is the end. It has 案例, 活动."),
    ("simulate-log ok.yaml --like ok.csv --out none/x.csv", "its folder is not there"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("command", "expected"), CASES, ids=[c for c, _ in CASES])
def test_bad_input_is_one_error(folder, monkeypatch, capsys, command, expected):
    monkeypatch.chdir(folder)
    status = execute(app, "twin", command.split())
    errors = capsys.readouterr().err.splitlines()
    assert status == 2
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert expected in errors[0]


def test_failure_of_the_disk_is_one_error(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def full(log, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("twin.process.eventlog.files.write_log", full)
    assert execute(app, "twin", ["log", "convert", "ok.csv", "x.csv", "--language", "zh"]) == 2
    assert capsys.readouterr().err == "错误：x.csv：无法读写：no space left on device\n"


@pytest.mark.parametrize(
    ("texts", "months"),
    [(("7/9/2026 9:00", "8/9/2026 9:00"), (9, 9)), (("9/7/2026 9:00", "9/27/2026 9:00"), (9, 9))],
    ids=["unsure", "month first"],
)
def test_all_times_of_a_column_have_day_and_month_in_one_order(tmp_path, texts, months):
    rows = "".join(f"1,a,x,{text},{text}\n" for text in texts)
    (tmp_path / "log.csv").write_text(HEAD + rows, encoding="utf-8")
    log = read_log(tmp_path / "log.csv")
    assert tuple(t.month for t in log.table["start"].to_pylist()) == months
    assert any("such as '7/9/2026 9:00' are read with the day first" in n for n in log.notes) == (texts[0][0] == "7")


def test_log_without_a_column_says_what_there_is(tmp_path):
    (tmp_path / "log.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column is the case"):
        read_log(tmp_path / "log.csv")
