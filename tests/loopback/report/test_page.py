"""The page: self-contained, escaped, whole; and looked at in a real browser, wide, narrow, dark and printed.

Set SERIALWRITE_SCREENSHOTS to a folder to keep the pictures.
"""

import json
import os
import re
import stat
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_browser import Browser, find_chromium
from report_samples import HOSTILE, SETTINGS, clean, direction, faulty, hostile, not_run, sweep

from serialwrite.loopback._result import Check, Outcome, Result, Run, Verdict, to_json
from serialwrite.loopback.report import _files
from serialwrite.loopback.report._page import render, write_report
from serialwrite.loopback.report._words import sentence

SAMPLES = {"clean": clean, "faulty": faulty, "sweep": sweep, "not_run": not_run, "hostile": hostile}
VOID = {"meta", "br", "hr"}


class Page(HTMLParser):
    """Reads a page strictly: every element closed in order; keeps tags, attributes and text."""

    def __init__(self, source):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(source)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data.strip())

    @property
    def text(self):
        return " ".join(filter(None, self.words))


@pytest.fixture(scope="module")
def pages():
    return {name: render(make()) for name, make in SAMPLES.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_is_well_formed_and_loads_nothing(pages, name):
    page = Page(pages[name])
    assert {tag_name for tag_name, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "object", "a"})
    assert not [key for _, given in page.elements for key in given if key.startswith(("on", "src", "href", "style"))]
    assert "url(" not in pages[name]
    assert "@import" not in pages[name]
    policy = next(given["content"] for _, given in page.elements if "http-equiv" in given)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_verdict_comes_first(pages):
    assert Page(pages["clean"]).text.split("pass")[0] == "PASS: loopback test, /dev/ttyUSB0 ↔ /dev/ttyUSB1 "
    order = [
        Page(pages["faulty"]).text.index(words) for words in ("fail", "Likely causes", "Every byte", "To do it again")
    ]
    assert order == sorted(order)


def test_the_page_says_what_the_result_says(pages):
    words = Page(pages["faulty"]).text
    for wanted in (
        "A → B: 1 byte corrupted, 2 bytes lost, 1 byte duplicated, 4 bytes inserted; B → A: 458 bytes inserted",
        "every LF (0x0a) arrives as CR LF (0d 0a)",
        "458 of 458 times",
        "1 gap longer than 100 ms",
        "-1.9",  # the clock is 2 % slow
        "40,404 1 lost af",
        "the first 20 of 458",
        "p99.9 too few",
        "DSR followed; DCD stayed low: pin 1 is not wired",
        "115200 8N1, flow none",
        "--pattern prbs31 --bytes 120000",
        "ftdi_sio, FT232R USB UART",
    ):
        assert wanted in words, wanted
    assert "All 120,000 bytes arrived once, right and in order." in Page(pages["clean"]).text
    assert "correct 120,000 bytes" in Page(pages["clean"]).text
    words = Page(pages["sweep"]).text
    assert "15 of 19 runs passed, 3 failed, 1 could not run, 1 not reached." in words
    assert "3000000, E, none: the driver set 115200 instead of 3000000" in words
    assert words.count("✓") == 15
    assert words.count("✗") == 3
    assert "not reached" in words
    assert "locked by process 4711" in Page(pages["not_run"]).text


def test_text_from_devices_is_escaped_wherever_it_goes(pages):
    source = pages["hostile"]
    assert "<script" not in source
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", source)
    page = Page(source)
    shown = r"""<script>alert("1")</script>\x1b[31m\u202egnp.exe & 'x' \ud800"""
    assert page.text.count(shown) > 12
    source.encode("utf-8")


def test_missing_jinja_is_named_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"a report needs Jinja2, .*: pip install jinja2"):
        write_report(clean(), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_written_whole(tmp_path):
    target = tmp_path / "report.html"
    old_mask = os.umask(0o027)
    try:
        write_report(clean(), target)
    finally:
        os.umask(old_mask)
    assert target.read_text("utf-8") == render(clean())
    assert stat.S_IMODE(target.stat().st_mode) == 0o640  # the user's umask decides
    link = tmp_path / "link.html"
    link.symlink_to(target)
    write_report(not_run(), link)
    assert link.is_symlink()
    assert target.read_text("utf-8") == render(not_run())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "report.html"]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_or_not_at_all(tmp_path, monkeypatch, fails):
    target = tmp_path / "report.html"
    target.write_text("old")

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"fsync": (_files.os, "fsync"), "replace": (_files.Path, "replace")}[fails], broken)
    with pytest.raises(OSError, match="No space left"):
        write_report(clean(), target)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert target.read_text() == "old"


def test_a_device_or_a_fifo_is_not_replaced(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(OSError, match="not a regular file"):
        write_report(clean(), fifo)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    with pytest.raises(FileNotFoundError):
        write_report(clean(), tmp_path / "missing" / "report.html")


def test_verdicts_and_exit_codes():
    assert (clean().verdict, faulty().verdict, not_run().verdict) == (
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.NOT_RUN,
    )
    assert [verdict.exit_code for verdict in Verdict] == [0, 1, 2, 130, 3, 3]
    only_wiring = Result(clean().runs, (Check("RTS", Outcome.FAIL, "no"),))
    assert only_wiring.verdict is Verdict.FAIL
    assert sentence(only_wiring) == "The data arrived, but 1 check failed."
    assert Result((*clean().runs, Run(SETTINGS, Verdict.NOT_RUN))).verdict is Verdict.NOT_RUN
    assert Result((), (Check("RTS", Outcome.UNKNOWN, ""),)).verdict is Verdict.NOT_RUN


def test_the_sentence_of_a_sweep_counts_all_its_runs():
    assert sentence(sweep()) == "15 of 19 runs passed, 3 failed, 1 could not run, 1 not reached."
    stopped = replace(sweep(), runs=(*sweep().runs[:2], Run(SETTINGS, Verdict.STOPPED)))
    assert sentence(stopped) == "2 of 3 runs passed, the last was stopped, 17 not reached."
    assert (stopped.verdict, replace(stopped, checks=()).verdict) == (Verdict.FAIL, Verdict.STOPPED)


def test_settings_know_the_line():
    assert (SETTINGS.frame_bits, SETTINGS.line_rate, SETTINGS.mode) == (10, 11_520, "115200 8N1")
    assert replace(SETTINGS, parity="E", data_bits=7, stop_bits=2).frame_bits == 11


@pytest.mark.parametrize("name", SAMPLES)
def test_json_holds_all_of_it(name):
    result = SAMPLES[name]()
    again = json.loads(json.dumps(to_json(result)))
    assert again["verdict"] == result.verdict
    assert len(again["runs"]) == len(result.runs)
    if name == "faulty":
        way = again["runs"][0]["directions"][0]
        assert way["account"]["faults"][0]["kind"] == "corrupted"
        assert way["account"]["faults"][0]["expected"] == "58"
        assert way["error_rate"]["errors"] == 1
        assert way["account"]["error_map"]["counts"]["lost"]


@pytest.fixture(scope="module")
def browser():
    program = find_chromium()
    if program is None:
        reason = "needs Chromium (Debian: apt-get install chromium)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with Browser(program) as chromium:
        yield chromium


VIEWS = {
    "light": {"width": 1100},
    "dark": {"width": 1100, "dark": True},
    "phone": {"width": 390},
    "phone-dark": {"width": 360, "dark": True},
    "print": {"width": 794, "medium": "print"},
}

# Text that is too pale for its ground (WCAG AA: 4.5, or 3 where it is large), too small, or beyond the page.
UNREADABLE = """
(() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const luminance = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) return over(c, [255, 255, 255]);
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest(".hidden") || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const [a, b] = [luminance(over(parse(style.color), ground(e))), luminance(ground(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const box = e.getBoundingClientRect();
    const scrolls = e.closest(".scroll");
    if (contrast < (large ? 3 : 4.5)) bad.push(["pale", contrast.toFixed(2), e.textContent.slice(0, 40)]);
    if (size < 9.5) bad.push(["small", size, e.textContent.slice(0, 40)]);
    if (!scrolls && (box.left < -1 || box.right > document.documentElement.clientWidth + 1)) bad.push(["outside", box.right, e.textContent.slice(0, 40)]);
  }
  return bad;
})()
"""

# What text covers what other text: boxes of the text itself, not of its element.
COLLIDING = """
(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), boxes = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.textContent.trim() || node.parentElement.closest(".hidden, .scroll")) continue;
    const range = document.createRange(); range.selectNodeContents(node);
    for (const r of range.getClientRects()) boxes.push([r, node.textContent.slice(0, 30)]);
  }
  const bad = [];
  boxes.forEach(([a, one], i) => boxes.slice(i + 1).forEach(([b, two]) => {
    const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (w > 1 && h > 0.4 * Math.min(a.height, b.height)) bad.push([one, two]);
  }));
  return bad;
})()
"""


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", SAMPLES)
def test_it_looks_right_in_a_browser(browser, pages, tmp_path, name, view):
    path = tmp_path / "report.html"
    path.write_text(pages[name], "utf-8")
    browser.open(path, **VIEWS[view])
    assert browser.requests() == [path.resolve().as_uri()]
    assert browser.complaints() == []
    # nothing makes the page itself scroll sideways (innerWidth would grow with it on a phone)
    assert browser.evaluate("document.documentElement.scrollWidth") <= VIEWS[view]["width"]
    assert browser.evaluate(UNREADABLE) == []
    assert browser.evaluate(COLLIDING) == []
    drawn = browser.evaluate("[...document.querySelectorAll('svg')].map((s) => [s.clientWidth, s.clientHeight])")
    assert all(w > 150 and h >= 18 for w, h in drawn), drawn
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(re.search(r"\d+", ground).group())
    assert red < 40 if "dark" in view else red > 200
    picture = browser.screenshot()
    assert picture.startswith(b"\x89PNG")
    keep(f"{name}-{view}.png", picture)


@pytest.mark.parametrize("name", ["clean", "faulty", "sweep"])
def test_it_prints(browser, pages, tmp_path, name):
    path = tmp_path / "report.html"
    path.write_text(pages[name], "utf-8")
    browser.open(path, width=1100, dark=True)  # paper is white whatever the screen is
    paper = browser.pdf()
    assert paper.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 8
    keep(f"{name}.pdf", paper)


def test_one_wrong_byte_in_100_megabytes_is_seen_on_the_map(browser, tmp_path):
    way = direction("A → B", 3_000_000, [(1_234_567, lambda b: [b ^ 1])], baud=3_000_000)
    path = tmp_path / "report.html"
    write_report(Result((Run(SETTINGS, Verdict.FAIL, directions=(way,)),)), path)
    browser.open(path, width=390)
    mark = "document.querySelector('.fault').getBoundingClientRect()"
    x, width, strip = browser.evaluate(f"[{mark}.left, {mark}.width, document.querySelector('.strip svg').clientWidth]")
    left = browser.evaluate("document.querySelector('.strip svg').getBoundingClientRect().left")
    assert width + 3 >= 3  # its outline is three pixels wide, however narrow the cell
    assert browser.evaluate("getComputedStyle(document.querySelector('.fault')).strokeWidth") == "3px"
    assert (x - left) / strip == pytest.approx(1_234_567 / 3_000_000, abs=0.01)


def keep(name, content):
    if folder := os.environ.get("SERIALWRITE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_bytes(content)


def test_hostile_text_is_hostile():
    assert {"<", "\x1b", "\u202e", "\ud800", '"'} <= set(HOSTILE)
