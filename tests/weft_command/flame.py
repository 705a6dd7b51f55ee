#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weft flame as its users meet it: in a browser, beside Go's own table: flame.py CASE WEFT."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.dom.minidom
from html import unescape

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
WEFT = sys.argv[2]


def need(program, package):
    path = shutil.which(program)
    if path is None:
        print(f"{program} is missing (Debian: apt-get install {package})")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    return path


def expect(wanted, got, what):
    if wanted != got:
        sys.exit(f"{what}: {got!r:.800} instead of {wanted!r:.800}")


def weft(*words, status=0, data=None):
    done = subprocess.run([WEFT, *words], input=data, capture_output=True, check=False, timeout=60)
    out, said = done.stdout.decode(), done.stderr.decode()
    expect(status, done.returncode, f"weft {words}: {said} {out}: the exit status")
    return out, said


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def profile(samples):
    """A CPU profile: {("root", ..., "leaf"): nanoseconds}."""
    strings = ["", "cpu", "nanoseconds"]

    def text(name):
        if name not in strings:
            strings.append(name)
        return strings.index(name)

    out, ids = field(1, field(1, 1) + field(2, 2)), {}
    for stack, value in samples.items():
        where = b"".join(varint(ids.setdefault(name, len(ids) + 1)) for name in reversed(stack))
        out += field(2, field(1, where) + field(2, value))
    for name, key in ids.items():
        out += field(4, field(1, key) + field(4, field(1, key)))
        out += field(5, field(1, key) + field(2, text(name)) + field(4, text("shop.cpp")))
    return out + b"".join(field(6, name.encode()) for name in strings)


LONG = ("shop::store<std::pair<int, long>, std::less<int>>"
        "::find_slowly(std::string const&, int) const")
NOW = {("main", "serve", LONG): 600, ("main", "serve", "parse"): 150, ("main", "idle"): 250,
       ("main", "tiny"): 1, ("main", "idle", "parse"): 99}
BEFORE = {("main", "serve", LONG): 200, ("main", "serve", "parse"): 300, ("main", "gone"): 100}

# Runs in the page, behind the graph's own script. `say` notes what the user would see.
DRIVER = r"""
const said = [];
const say = (what, text) => said.push(what + '=' + text);
const one = id => document.getElementById(id);
const boxes = () => [...document.querySelectorAll('.box')];
const box = name => boxes().find(g => g.node.name.startsWith(name));
const wide = g => g ? Number(g.querySelector('rect').getAttribute('width')) : 0;
const label = g => g.querySelector('text') ? g.querySelector('text').textContent : '';
const key = (k, at) => (at || document.body || document.documentElement).dispatchEvent(
    new KeyboardEvent('keydown', {key: k, bubbles: true, cancelable: true}));
const hover = g => g.dispatchEvent(new MouseEvent('mousemove', {bubbles: true}));
const click = g => g.dispatchEvent(new MouseEvent('click', {bubbles: true}));
const top_of = g => Number(/,([\d.]+)\)/.exec(g.getAttribute('transform'))[1]);
try {
  PARTS
} catch (bad) { say('exception', bad.stack); }
const note = document.createElementNS('http://www.w3.org/1999/xhtml', 'pre');
note.id = 'note';
note.textContent = said.join('\n');
one('host').append(note);
"""
STEPS = r"""
  say('boxes', boxes().length);
  say('share', (wide(box('serve')) / wide(box('main'))).toFixed(2));
  hover(box('shop'));
  say('details', one('details').textContent);
  say('short', label(box('shop')));
  say('upside', top_of(box('main')) > top_of(box('serve')));
  key('i');
  const turned = one('icicle').getAttribute('aria-pressed');
  say('icicle', top_of(box('main')) < top_of(box('serve')) && turned);
  key('i');
  one('search').value = 'PARSE';
  one('search').dispatchEvent(new Event('input'));
  say('found', one('found').textContent);
  say('marked', document.querySelectorAll('.match').length);
  one('search').value = '/^(idle|serve)$/';
  one('search').dispatchEvent(new Event('input'));
  say('regexp', one('found').textContent);
  one('search').value = '/(/';
  one('search').dispatchEvent(new Event('input'));
  say('bad', one('found').textContent);
  key('Escape', one('search'));
  say('cleared', one('found').textContent + document.querySelectorAll('.match').length);
  click(box('serve'));
  const ratio = (wide(box('serve')) / wide(box('main'))).toFixed(2);
  say('zoomed', ratio + ' ' + (box('idle') === undefined));
  say('within', one('details').textContent);
  hover(box('parse'));
  say('part', /, [\d.]+% of what is shown/.exec(one('details').textContent)[0]);
  key('Backspace');
  say('parent', document.querySelectorAll('.above').length);
  key('Escape');
  say('reset', (wide(box('serve')) / wide(box('main'))).toFixed(2));
  key('ArrowUp'); key('ArrowUp'); key('ArrowRight');
  say('moved', document.querySelector('.picked').node.name);
  key('Enter');
  say('entered', box('serve') === undefined);
  one('reset').click();
  key('c');
  say('callers', (wide(box('parse')) / wide(box('all'))).toFixed(2));
  key('c');
"""
DIFF_STEPS = r"""
  say('legend', one('legend').textContent);
  say('more', box('shop').querySelector('rect').getAttribute('fill'));
  const served = boxes().find(g => g.node.name === 'parse' && g.node.parent.name === 'serve');
  say('less', served.querySelector('rect').getAttribute('fill'));
  say('gone', box('gone') === undefined);
  key('b');
  say('before', wide(box('gone')) > 10);
  hover(box('gone'));
  say('change', one('details').textContent);
  key('s');
  say('shares', one('shares').getAttribute('aria-pressed'));
"""
SEEN = {
    "boxes": "8", "share": "0.68",  # `tiny` is wide enough; parse stands twice
    "details": LONG + "600 ns, 54.55% of all; itself 600 ns, 54.55%; shop.cpp",
    "upside": "true", "icicle": "true", "found": "22.64% (249 ns) in matches", "marked": "2",
    "regexp": "99.91% (1.10 \u00b5s) in matches", "bad": "not a regular expression", "cleared": "0",
    "zoomed": "1.00 true", "within": "serve750 ns, 68.18% of all, 100.00% of what is shown; "
    "itself 0 s, 0.00%; shop.cpp", "part": ", 20.00% of what is shown", "parent": "1",
    "reset": "0.68", "moved": "idle", "entered": "true", "callers": "0.23"}
SEEN_DIFF = {
    "legend": "half or gonetwice or new", "more": "rgb(222,76,58)", "less": "rgb(62,121,196)",
    "gone": "true", "before": "true", "shares": "true",
    "change": "gone100 ns, 16.67% of all; itself 100 ns, 16.67%; before 100 ns (16.67%), now 0 s "
    "(0.00%): -100 ns; shop.cpp"}


def chromium(folder, file, *more):
    program = need("chromium", "chromium")
    return subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={folder}/chromium", "--window-size=1200,700", "--timeout=60000",
         *more, "file://" + file],
        check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        timeout=150).stdout


def drive(folder, file, steps, *more):
    """The page's own words after the steps."""
    with open(file, encoding="utf-8") as page:
        text = page.read()
    driver = DRIVER.replace("PARTS", steps)
    end = "</body>" if file.endswith(".html") else "</svg>"
    at = text.rindex(end)
    script = f"<script><![CDATA[{driver}]]></script>"
    if end == "</body>":
        script = f"<script>{driver}</script>"
    driven = file.replace("graph", "driven")
    with open(driven, "w", encoding="utf-8") as page:
        page.write(text[:at] + script + text[at:])
    dom = chromium(folder, driven, "--dump-dom", *more)
    note = re.search(r'id="note"[^>]*>(.*?)</(?:\w+:)?pre>', dom, re.S)
    if note is None:
        sys.exit(f"the page's script did not end: {dom[-2000:]}")
    return dict(line.split("=", 1) for line in unescape(note.group(1)).split("\n"))


def write_profiles(folder):
    for name, samples in (("now", NOW), ("before", BEFORE)):
        with open(f"{folder}/{name}.pb", "wb") as file:
            file.write(profile(samples))


def page(folder, kind):
    write_profiles(folder)
    to = f"{folder}/graph.{kind}"
    said = weft("flame", folder + "/now.pb", "-o", to, "--title", "The shop")[1]
    expect(True, "1.10us, 5 stacks" in said, f"weft flame said {said}")
    got = drive(folder, to, STEPS)
    for name, wanted in SEEN.items():
        expect(wanted, got.get(name), f"{kind}: {name}")
    short = got["short"]
    expect(True, "find_slowly" in short and "const&" not in short, f"{kind}: {short}")
    weft("flame", folder + "/now.pb", "--diff", folder + "/before.pb", "-o", to)
    got = drive(folder, to, DIFF_STEPS)
    for name, wanted in SEEN_DIFF.items():
        expect(wanted, got.get(name), f"{kind}, two profiles: {name}")


def html(folder):
    page(folder, "html")


def svg(folder):
    page(folder, "svg")
    # Where no script runs there is the still picture.
    weft("flame", folder + "/now.pb", "-o", folder + "/still.svg")
    still = xml.dom.minidom.parse(folder + "/still.svg")
    group = [g for g in still.getElementsByTagName("g") if g.getAttribute("id") == "still"][0]
    titles = [t.firstChild.data for t in group.getElementsByTagName("title")]
    expect(True, LONG + "\n600ns, 54.55%" in titles, f"the still picture has {titles}")


def dark(folder):
    """Text can be read on what is behind it, in the dark as well."""
    write_profiles(folder)
    weft("flame", folder + "/now.pb", "-o", folder + "/graph.html")
    steps = r"""
  say('night', matchMedia('(prefers-color-scheme: dark)').matches);
  say('back', getComputedStyle(one('host')).backgroundColor);
  say('ink', getComputedStyle(one('host')).color);
  say('box', getComputedStyle(box('serve').querySelector('text')).fill);
  say('fill', getComputedStyle(box('serve').querySelector('rect')).fill);
"""

    def light(colour):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one, other):
        a, b = sorted((light(one), light(other)), reverse=True)
        return (a + 0.05) / (b + 0.05)

    for more, night in (((), "false"), (("--blink-settings=preferredColorScheme=0",), "true")):
        got = drive(folder, folder + "/graph.html", steps, *more)
        expect(night, got["night"], "the scheme")
        for a, b in (("ink", "back"), ("box", "fill")):
            ratio = contrast(got[a], got[b])
            print(f"night={night}: {a} on {b}: {ratio:.1f}")
            expect(True, ratio >= 4.5, f"{a} on {b}")


def go(folder):
    """Profiles of Go's own, and the same table as `go tool pprof -top` makes."""
    program = need("go", "golang")
    binary = folder + "/spinner"
    env = dict(os.environ, GO111MODULE="off", GOTOOLCHAIN="local")
    subprocess.run([program, "build", "-o", binary, HERE + "/spinner.go"], check=True, env=env)
    subprocess.run([binary, folder + "/cpu.pb.gz", folder + "/heap.pb.gz"], check=True, timeout=60)
    for file, sample in (("cpu.pb.gz", "cpu"), ("heap.pb.gz", "inuse_space"),
                         ("heap.pb.gz", "alloc_objects")):
        unit = {"cpu": "ms", "inuse_space": "B", "alloc_objects": "auto"}[sample]
        theirs = subprocess.run(
            [program, "tool", "pprof", "-top", "-nodecount=1000", "-nodefraction=0",
             "-unit", unit, "-sample_index", sample, folder + "/" + file],
            check=True, capture_output=True, text=True, env=env).stdout
        table = json.loads(weft("flame", folder + "/" + file, "--json", "--sample", sample)[0])
        expect(sample, table["type"], "the sample type")
        scale = 1e6 if unit == "ms" else 1
        ours = {row["name"]: (row["flat"] / scale, row["cum"] / scale) for row in table["rows"]}
        rows = re.findall(r"^ *([\d.]+)\w* +[\d.]+% +[\d.]+% +([\d.]+)\w* +[\d.]+%  (.*)$",
                          theirs, re.M)
        expect(True, len(rows) >= 2, f"rows of {theirs}")
        for flat, cum, name in rows:
            name = name.replace(" (inline)", "").replace(" (partial-inline)", "")
            expect((float(flat), float(cum)), ours.pop(name), f"{sample}: {name}")
        expect({}, ours, f"{sample}: rows that Go does not have")
        by_cum = json.loads(weft("flame", folder + "/" + file, "--json", "--cum", "--sample",
                                 sample)[0])
        theirs = subprocess.run(
            [program, "tool", "pprof", "-top", "-cum", "-nodecount=1000", "-nodefraction=0",
             "-unit", unit, "-sample_index", sample, folder + "/" + file],
            check=True, capture_output=True, text=True, env=env).stdout
        expect([float(cum) for cum in re.findall(r"% +([\d.]+)\w* +[\d.]+%  ", theirs)],
               [row["cum"] / scale for row in by_cum["rows"]], f"{sample}: the order of --cum")
        print(f"{sample}: {len(rows)} rows are the same")
    weft("flame", folder + "/cpu.pb.gz", "-o", folder + "/cpu.svg")


def usage(folder):
    """What people type, and what they are told."""
    write_profiles(folder)
    out, _ = weft("--help")
    expect(True, "weft COMMAND --help" in out, "the help text")
    for command in re.findall(r"^  (\w[\w ]*?)  +\w", out, re.M):
        said, _ = weft(*command.split(), "--help")
        expect(True, said.startswith("usage: weft " + command), command + " --help")
    for words, wanted in (
            ((), "usage: weft COMMAND"), (("flam",), 'there is no command "flam"'),
            (("flame",), "flame: FILE is missing"), (("flame", "a", "b"), '"b" is too much'),
            (("flame", "--no", "a"), "unknown option --no"),
            (("flame", "a", "--sample"), "--sample: a value is missing"),
            (("flame", "a", "--text=1"), "--text takes no value"),
            (("flame", "a", "--cum"), "--cum: is an order of --text or --json"),
            (("flame", "--limit", "x", "a"), '--limit "x": must be a whole number from 1'),
            (("flame", folder + "/now.pb", "-o", "x.pdf"), "must end in .html or .svg")):
        expect(True, wanted in weft(*words, status=2)[1], f"{words}: what is said")
    for words, wanted in (
            (("flame", folder + "/none"), "/none: No such file or directory"),
            (("flame", folder), "Is a directory"),
            (("flame", __file__), "flame.py: not a profile: at byte"),
            (("flame", folder + "/now.pb", "-o", folder + "/no/x.svg"), "No such file"),
            (("flame", folder + "/now.pb", "--sample", "heap"), "there is cpu")):
        expect(True, wanted in weft(*words, status=1)[1],
               f"{words}: {weft(*words, status=1)[1]}: what is said")
    out, _ = weft("flame", "--text", "-", data=profile(NOW))
    expect(True, "600ns 54.55%" in out, f"the table is {out}")
    cums = []
    for words in ((), ("--cum",)):
        out, _ = weft("flame", "--text", *words, "-", data=profile(NOW))
        cums.append(re.findall(r"(\S+) +[\d.]+%  (\S+)", out))
    expect(sorted(cums[0]), sorted(cums[1]), "rows in another order")
    expect(["main", "serve"], [name for _, name in cums[1][:2]], "the first by --cum")
    out, _ = weft("flame", "-o", "-", "-", data=profile(NOW))
    expect(True, out.startswith("<!DOCTYPE html>"), "a page on standard output")
    expect([], [name for name in os.listdir(folder) if ".tmp" in name], "files left behind")


with tempfile.TemporaryDirectory() as work:
    globals()[sys.argv[1]](work)
