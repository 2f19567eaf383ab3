"""The HTML report in a real browser: on a phone, on paper, by day and by night."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import zlib
from html import unescape
from pathlib import Path

import pytest
from broken_domains import BROKEN
from scenes import NOW
from test_looks import looks, settings  # noqa: F401 - fixtures

from exo_auth.checks.domain_report import DomainReport
from exo_auth.render.findings import whole_text, writer_for
from exo_auth.run.look import Look

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed (Debian package chromium)"
)

PROBE = """<!DOCTYPE html><iframe id="f" src="report.html" style="width:%dpx;height:900px;border:0"></iframe>
<script>
document.getElementById('f').onload = function () {
  var page = this.contentDocument, root = page.documentElement;
  var result = {
    overflow: root.scrollWidth - root.clientWidth,
    articles: page.querySelectorAll('article[id]').length,
    broken: Array.from(page.querySelectorAll('a[href^="#"]')).filter(function (a) {
      return !page.getElementById(decodeURIComponent(a.getAttribute('href').slice(1))); }).length,
    scripts: page.scripts.length,
    outside: page.querySelectorAll('link,img,iframe,object,[src]').length,
    listed: page.querySelectorAll('#summary .domains a').length,
    sources: Array.from(page.querySelectorAll('dd a')).filter(function (a) {
      return !/^https:\\/\\/(www\\.rfc-editor\\.org\\/rfc\\/rfc\\d+|learn\\.microsoft\\.com\\/)/.test(a.href); }).length,
    summaryAbove: page.getElementById('summary').getBoundingClientRect().top
      < page.querySelector('main').getBoundingClientRect().top,
  };
  var out = document.createElement('pre'); out.id = 'result'; out.textContent = JSON.stringify(result);
  document.body.appendChild(out);
};
</script>"""


@pytest.fixture(scope="module")
def report(looks: dict[str, Look], tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    file = tmp_path_factory.mktemp("html") / "report.html"
    reports = [DomainReport(seen.facts.domain, seen.findings) for seen in looks.values()]
    file.write_text(whole_text(reports, writer_for("html", NOW)), encoding="utf-8")
    return file


def chromium(*arguments: str, folder: Path) -> str:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder}/p",
    ]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@needs_browser
@pytest.mark.parametrize("width", [390, 1200], ids=["phone", "desk"])
def test_nothing_sticks_out_and_every_finding_is_linked(report: Path, width: int) -> None:
    probe = report.with_name(f"probe-{width}.html")
    probe.write_text(PROBE % width, encoding="utf-8")
    dom = chromium(
        "--allow-file-access-from-files",
        "--virtual-time-budget=4000",
        "--dump-dom",
        f"file://{probe}",
        folder=report.parent,
    )
    found = re.search(r'<pre id="result">(.*?)</pre>', dom)
    assert found is not None, dom[-500:]
    seen = json.loads(unescape(found[1]))
    findings = report.read_text().count("<article ") - report.read_text().count('<article class="ok">')
    assert seen == {
        "overflow": 0,
        "articles": findings,
        "broken": 0,
        "scripts": 0,
        "outside": 0,
        "listed": len(BROKEN),
        "sources": 0,
        "summaryAbove": True,
    }


@needs_browser
def test_it_is_light_by_day_dark_by_night(report: Path) -> None:
    shades = {}
    for name, setting in (("light", "1"), ("dark", "0")):  # Blink's numbers for the preferred colour scheme
        picture = report.with_name(f"{name}.png")
        chromium(
            f"--blink-settings=preferredColorScheme={setting}",
            "--window-size=390,900",
            f"--screenshot={picture}",
            f"file://{report}",
            folder=report.parent,
        )
        shades[name] = brightness(picture)
    assert shades["light"] > 200 > 80 > shades["dark"]


@needs_browser
def test_it_prints(report: Path) -> None:
    paper = report.with_name("report.pdf")
    chromium(f"--print-to-pdf={paper}", "--no-pdf-header-footer", f"file://{report}", folder=report.parent)
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.stat().st_size > 20_000


def brightness(file: Path) -> float:
    """Give the mean of all samples of an 8-bit PNG, 0 to 255 (its rows are unfiltered as the standard says)."""
    data, at, packed = file.read_bytes(), 8, b""
    width = height = samples = 0
    while at < len(data):
        length, kind = struct.unpack_from("!I4s", data, at)
        chunk = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from("!IIBB", chunk)
            assert depth == 8
            samples = {2: 3, 6: 4}[colour]
        packed += chunk if kind == b"IDAT" else b""
        at += 12 + length
    raw, stride, total = zlib.decompress(packed), width * samples, 0
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        above = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, samples)
        total += sum(above[::samples])
    return total / (width * height)


def _unfiltered(kind: int, line: bytearray, above: bytearray, samples: int) -> bytearray:
    for i in range(len(line)):
        left = line[i - samples] if i >= samples else 0
        corner = above[i - samples] if i >= samples else 0
        guess = (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[kind]
        line[i] = (line[i] + guess) & 0xFF
    return line


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    return min((left, above, corner), key=lambda value: abs(estimate - value))
