"""XES: the reader by columns and the XML parser see the same log; odd and damaged files are met."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twin.errors import DataError
from twin.process.eventlog.files import read_log
from twin.process.eventlog.xes import read_any, read_xes
from twin.process.eventlog.xes_markup import NotPlainError, read_plain

HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n<!-- made by hand -->\n<log xes.version="1.0">\n'
PROLOG = (
    '<extension name="Time" prefix="time" uri="http://x/"/><global scope="event"><string key="concept:name" value="?"/>'
    '</global><classifier name="a" keys="concept:name"/><string key="source" value="hand"/>'
)
values = st.sampled_from(["a", "", "b c", "&lt;&amp;&quot;", "&#233;&#x4e2d;", "中文", "it's", "x>y", "line\nbreak"])
keys = st.sampled_from(["concept:name", "org:resource", "cost", "lifecycle:transition", "k&amp;"])
spaces = st.sampled_from(["", " ", "\n\t\t", "<!-- note -->", " text "])


@st.composite
def attributes(draw, depth=0):
    """Elements of attributes, some with children, lists without values and values before keys."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        kind, key, value = draw(st.sampled_from(["string", "int", "date"])), draw(keys), draw(values)
        order = draw(st.booleans())
        pair = f'key="{key}" value="{value}"' if order else f'value="{value}"\n key = "{key}"'
        inner = draw(attributes(depth + 1)) if depth < 2 and draw(st.integers(0, 5)) == 0 else None
        if draw(st.integers(0, 9)) == 0:
            found.append(f'<list key="{key}"><values>{inner or ""}</values></list>')
        elif inner is not None:
            found.append(f"<{kind} {pair}>{inner}</{kind}>")
        else:
            found.append(f"<{kind} {pair}{draw(st.sampled_from(['', ' ']))}/>")
        found.append(draw(spaces))
    return "".join(found)


@st.composite
def logs(draw):
    """Texts of XES files."""
    traces = []
    for _ in range(draw(st.integers(0, 3))):
        last = '<int key="n" value="1"/></event>'
        opening = draw(st.sampled_from(["<event>", "<event >"]))
        events = [opening + draw(spaces) + draw(attributes()) + last for _ in range(draw(st.integers(0, 3)))]
        traces.append(f"<trace>{draw(attributes())}{draw(spaces)}{draw(spaces).join(events)}</trace>{draw(spaces)}")
    return HEAD + draw(st.sampled_from(["", PROLOG])) + "".join(traces) + "</log>\n"


@settings(deadline=None, max_examples=150)
@given(logs(), st.integers(1, 60))
@example(HEAD + '<trace id="7"><event><string key="n" value="1"/></event></trace></log>', 7)
@example(HEAD + '<trace/><trace></trace><trace><event id="1"><int key="n" value="1"/></event></trace></log>', 3)
def test_columns_equal_those_of_the_parser_whatever_the_blocks(tmp_path_factory, text, size):
    path = tmp_path_factory.mktemp("xes") / "log.xes"
    path.write_bytes(text.encode())
    data = text.encode()
    expected, _ = read_any(path)
    found = read_plain(data[i : i + size] for i in range(0, len(data), size))
    assert (found.trace_count, found.trace_of.tolist()) == (expected.trace_count, expected.trace_of.tolist())
    for mine, theirs in ((found.events, expected.events), (found.traces, expected.traces)):
        assert {k: v.to_pylist() for k, v in mine.items()} == {k: v.to_pylist() for k, v in theirs.items()}


EVENT = '<event><string key="concept:name" value="a"/><date key="time:timestamp" value="2026-09-15T09:00:00Z"/></event>'


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}<trace>{EVENT}</trace></log>".replace('"', "'"),
        f'{HEAD}<trace><!-- "quoted" -->{EVENT}</trace></log>',
        '<?xml version="1.0"?><!DOCTYPE log [<!ENTITY who "ann">]><log><trace>'
        + EVENT.replace('"a"', '"&who;"')
        + "</trace></log>",
        f'<?xml version="1.0"?><x:log xmlns:x="http://x/"><x:trace>{EVENT}</x:trace></x:log>'.replace(
            "<event", "<x:event"
        ).replace("</event", "</x:event"),
        f"{HEAD}<trace>{EVENT}</trace></log>".encode("utf-16"),
    ],
    ids=["single quotes", "quotes in comment", "entity", "prefix", "utf-16"],
)
def test_unusual_file_is_left_to_the_parser(tmp_path, text):
    path = tmp_path / "log.xes"
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(data.replace(b'encoding="UTF-8"', b'encoding="UTF-16"') if isinstance(text, bytes) else data)
    if isinstance(text, bytes):
        path.write_bytes(f"{HEAD}<trace>{EVENT}</trace></log>".replace("UTF-8", "UTF-16").encode("utf-16"))
    with pytest.raises(NotPlainError):
        read_plain([path.read_bytes()])
    log = read_xes(path)
    assert len(log) == 1
    assert log.activities in (["a"], ["ann"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"<trace>{EVENT}</trace>", ":4: not well-formed XML: no element found"),
        (f"<trace>{EVENT}</log>", ":4: not well-formed XML: mismatched tag"),
        (f"<trace>{EVENT.replace('</event>', '</trace>')}</log>", ":4: not well-formed XML: mismatched tag"),
        (
            '<trace><event><string key="concept:name" value="a"/></event></trace></log>',
            "an event has no time:timestamp",
        ),
        ("<trace><event/></trace></log>", "an event has no concept:name"),
        ("<trace/></log>", "no event in it"),
        (f"<trace>{EVENT.replace('2026-09', 'soon')}</trace></log>", "'soon-15T09:00:00Z' is not a time"),
    ],
)
def test_damaged_file_gives_one_clear_error(tmp_path, body, words):
    path = tmp_path / "log.xes"
    path.write_text(HEAD + body)
    with pytest.raises(DataError) as caught:
        read_log(path)
    assert words in str(caught.value)


def test_truncated_compressed_file_gives_one_clear_error(tmp_path):
    path = tmp_path / "log.xes.gz"
    path.write_bytes(gzip.compress(f"{HEAD}<trace>{EVENT * 500}</trace></log>".encode())[:-20])
    with pytest.raises(DataError, match=r"cannot be read|not well-formed"):
        read_log(path)


@pytest.mark.data
def test_real_log_is_read_by_columns_and_equals_what_the_parser_sees(shared_data):
    folder = shared_data / "process" / "event_logs"
    for name in ("teleclaims.xes.gz",):
        data = gzip.decompress((folder / name).read_bytes())
        found, expected = (
            read_plain(data[i : i + 700_001] for i in range(0, len(data), 700_001)),
            read_any(folder / name)[0],
        )
        assert found.events.keys() == expected.events.keys()
        assert all(found.events[key].equals(expected.events[key]) for key in expected.events)
        assert all(found.traces[key].equals(expected.traces[key]) for key in expected.traces)
