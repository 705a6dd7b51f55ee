// SPDX-License-Identifier: Apache-2.0
// The interactive part of a flame graph, the same in an HTML page and in an SVG file. It reads the
// graph from the element #data, makes the controls, and draws only boxes that can be seen; all
// text is set as text. `host` is where it all goes: the page's body, or a foreignObject's.
(function () {
  'use strict';
  const SVG = 'http://www.w3.org/2000/svg', XHTML = 'http://www.w3.org/1999/xhtml';
  const ROW = 18, FONT = 12, NARROWEST = 0.4;  // pixels; what is narrower is not drawn
  const data = JSON.parse(document.getElementById('data').textContent);
  const host = document.getElementById('host');
  const inSvg = document.documentElement.namespaceURI === SVG;
  const differs = data.other !== null;

  // --- the graph: nodes with value (v), self value (s), the other profile's value and self --------
  function node(name, file, depth, parent) {
    return {name, file, depth, parent, kids: [], v: 0, s: 0, o: 0, os: 0, inlined: false, x: 0};
  }
  function readFrames() {
    const top = node('all', '', 0, null);
    const path = [top];
    const f = data.frames;
    for (let i = 0; i < f.length; i += 6) {
      const depth = f[i];
      const n = node(data.names[f[i + 1] >> 1], data.files[f[i + 1] >> 1], depth, path[depth - 1]);
      n.inlined = (f[i + 1] & 1) === 1;
      [n.v, n.s, n.o, n.os] = [f[i + 2], f[i + 3], f[i + 4], f[i + 5]];
      path[depth - 1].kids.push(n);
      path[depth] = n;
    }
    for (const kid of top.kids) { top.v += kid.v; top.o += kid.o; }
    return top;
  }
  // The same samples from their leaves on: who called what costs.
  function reversed(from) {
    const top = node('all', '', 0, null);
    const all = [from];
    while (all.length > 0) {
      const n = all.pop();
      all.push(...n.kids);
      if (n.depth === 0 || (n.s === 0 && n.os === 0)) continue;
      top.v += n.s; top.o += n.os;
      let at = top;
      for (let up = n; up.depth > 0; up = up.parent) {
        const key = up.name + '\n' + up.file;
        at.byKey = at.byKey || new Map();
        let kid = at.byKey.get(key);
        if (!kid) {
          kid = node(up.name, up.file, at.depth + 1, at);
          kid.inlined = up.inlined;
          at.byKey.set(key, kid);
          at.kids.push(kid);
        }
        kid.v += n.s; kid.o += n.os;
        at = kid;
      }
      at.s += n.s; at.os += n.os;
    }
    const sort = [top];
    while (sort.length > 0) {
      const n = sort.pop();
      n.kids.sort((a, b) => Math.max(b.v, b.o) - Math.max(a.v, a.o));
      sort.push(...n.kids);
    }
    return top;
  }

  const forward = readFrames();
  let backward = null;
  const view = {
    top: forward, zoom: forward, picked: null, icicle: false, callers: false,
    before: false, shares: false, matcher: null
  };
  const weight = n => Math.max(0, view.before ? n.o : n.v);

  // --- numbers and names --------------------------------------------------------------------------
  function digits(x) { return x >= 99.95 ? x.toFixed(0) : x >= 9.995 ? x.toFixed(1) : x.toFixed(2); }
  function scaled(v, units) {
    const size = Math.abs(v);
    for (const [from, name] of units)
      if (size >= from * 0.9995) return (v < 0 ? '-' : '') + digits(size / from) + ' ' + name;
    return v + ' ' + units[units.length - 1][1];
  }
  function valueText(v) {
    if (data.unit === 'nanoseconds')
      return v === 0 ? '0 s' : scaled(v, [[1e9, 's'], [1e6, 'ms'], [1e3, '\u00b5s'], [1, 'ns']]);
    if (data.unit === 'bytes')
      return Math.abs(v) < 1024 ? v + ' B'
        : scaled(v, [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [1024, 'KiB']]);
    const grouped = String(Math.round(v)).replace(/\B(?=(\d{3})+$)/g, ',');
    return data.unit === 'count' ? grouped + ' ' + data.type : grouped + ' ' + data.unit;
  }
  const percent = (part, whole) => whole <= 0 ? '0%' : (100 * part / whole).toFixed(2) + '%';

  // Template arguments as <...>: angle brackets of operators and arrows are not brackets.
  function withoutTemplates(name) {
    let out = '', level = 0;
    for (let i = 0; i < name.length; ++i) {
      const c = name[i];
      const word = /operator\s*[<>-]*$/.test(name.slice(Math.max(0, i - 12), i));
      if (c === '<' && !word) { if (level++ === 0) out += '<\u2026>'; continue; }
      if (c === '>' && !word && name[i - 1] !== '-' && level > 0) { --level; continue; }
      if (level === 0) out += c;
    }
    return level === 0 ? out : name;
  }
  // Without the parameters at the end, and what follows them.
  function withoutParameters(name) {
    const end = name.lastIndexOf(')');
    if (end < 0 || !/^( const| volatile| &|&| noexcept| \[clone [^\]]*\])*$/.test(name.slice(end + 1)))
      return name;
    let level = 0;
    for (let i = end; i > 0; --i) {
      if (name[i] === ')') ++level;
      if (name[i] === '(' && --level === 0)
        return /operator$/.test(name.slice(0, i)) ? name : name.slice(0, i);
    }
    return name;
  }
  // "a::b::c" as ["a", "b", "c"], but not inside brackets.
  function parts(name) {
    const out = [];
    let level = 0, from = 0;
    for (let i = 0; i < name.length; ++i) {
      if ('<([{'.includes(name[i])) ++level;
      if ('>)]}'.includes(name[i])) --level;
      if (level <= 0 && name.startsWith('::', i)) { out.push(name.slice(from, i)); from = i + 2; ++i; }
    }
    out.push(name.slice(from));
    return out;
  }
  function shortened(name, room) {
    if (room < 2) return '';
    let text = name;
    for (const step of [withoutParameters, withoutTemplates, t => t.replace(/^.*\/(?=[^/]*\.)/, '')]) {
      if (text.length <= room) return text;
      text = step(text);
    }
    const words = parts(text);
    while (words.length > 1 && words.join('::').length > room) words.shift();
    text = words.join('::');
    return text.length <= room ? text : room < 4 ? '' : text.slice(0, room - 1) + '\u2026';
  }

  // --- colours ------------------------------------------------------------------------------------
  function hash(text) {
    let h = 2166136261;
    for (let i = 0; i < text.length; ++i) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
    return (h ^ (h >>> 15)) >>> 0;
  }
  const isRuntime = name => /^(weft::rt::|runtime[./]|internal\/|weft_)/.test(name);
  const baseHue = data.unit === 'bytes' ? 95 : data.unit === 'count' ? 185 : 12;
  // How much more this is than in the other profile: -1 half or less, 1 twice or more.
  function change(n) {
    let v = n.v, o = n.o;
    if (view.shares) { v /= Math.max(1, forward.v); o /= Math.max(1, forward.o); }
    if (o <= 0) return v > 0 ? 1 : 0;
    if (v <= 0) return -1;
    return Math.max(-1, Math.min(1, Math.log2(v / o)));
  }
  function mix(amount) {
    const to = amount > 0 ? [222, 76, 58] : [62, 121, 196], from = [226, 226, 222];
    const t = Math.abs(amount);
    return 'rgb(' + from.map((c, i) => Math.round(c + (to[i] - c) * t)).join(',') + ')';
  }
  function colour(n) {
    if (n.depth === 0) return differs ? mix(change(n)) : 'hsl(' + baseHue + ',12%,72%)';
    if (differs) return mix(change(n));
    const h = hash(n.name);
    if (isRuntime(n.name)) return 'hsl(220,' + (8 + h % 8) + '%,' + (68 + (h >> 8) % 8) + '%)';
    return 'hsl(' + (baseHue + h % 42) + ',' + (62 + (h >> 8) % 20) + '%,' + (60 + (h >> 16) % 9) + '%)';
  }

  // --- the page -----------------------------------------------------------------------------------
  function make(ns, name, attributes, text) {
    const made = document.createElementNS(ns, name);
    for (const key of Object.keys(attributes || {})) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  const html = (name, attributes, text) => make(XHTML, name, attributes, text);
  function button(id, text, title, act) {
    const made = html('button', {id, title, type: 'button'}, text);
    made.addEventListener('click', () => { act(); graph.focus({preventScroll: true}); });
    return made;
  }
  const bar = html('div', {id: 'bar'});
  const heading = html('div', {id: 'heading'});
  heading.append(html('strong', {}, data.title), html('span', {}, data.about));
  const tools = html('div', {id: 'tools'});
  const search = html('input', {id: 'search', type: 'search', placeholder: 'search: text or /regexp/',
    'aria-label': 'search', spellcheck: 'false'});
  const found = html('span', {id: 'found', 'aria-live': 'polite'});
  const details = html('div', {id: 'details', 'aria-live': 'polite'});
  const graph = make(SVG, 'svg', {id: 'graph', tabindex: '0', role: 'application',
    'aria-label': 'flame graph: arrows move, Enter zooms, Escape goes back, / searches'});
  const flip = button('icicle', 'Icicle', 'roots above (i)', () => {
    view.icicle = !view.icicle; draw(); toRoot();
  });
  const turn = button('callers', 'Callers', 'begin with what runs, its callers behind it (c)', () => {
    view.callers = !view.callers;
    if (view.callers && !backward) backward = reversed(forward);
    view.top = view.zoom = view.callers ? backward : forward;
    view.picked = null;
    draw(); toRoot();
  });
  const reset = button('reset', 'Reset', 'all of it (Escape)', () => { zoomTo(view.top); });
  tools.append(reset, flip, turn);
  if (differs) {
    tools.append(button('before', 'Before', 'widths of the other profile (b)', () => {
      view.before = !view.before; draw();
    }), button('shares', 'Shares', 'compare shares of the total instead of values (s)', () => {
      view.shares = !view.shares; draw();
    }));
  }
  tools.append(search, found);
  if (differs) {
    const legend = html('span', {id: 'legend'});
    const strip = html('span', {class: 'strip'});
    strip.style.background = 'linear-gradient(to right,' + [mix(-1), mix(0.0001), mix(1)].join(',') + ')';
    legend.append(html('span', {}, 'half or gone'), strip, html('span', {}, 'twice or new'));
    tools.append(legend);
  }
  bar.append(heading, tools, details);
  const area = html('div', {id: 'area'});
  area.append(graph);
  host.replaceChildren(bar, area);
  const still = document.getElementById('still');
  if (still) still.remove();

  // --- drawing ------------------------------------------------------------------------------------
  let letter = 0;
  function letterWidth() {
    const probe = make(SVG, 'text', {}, 'mmmmmmmmmm');
    graph.append(probe);
    const width = probe.getComputedTextLength() / 10;
    probe.remove();
    return width > 0 ? width : FONT * 0.6;
  }
  function place(n, width) {  // [node, x, width] of all that can be seen, parents first
    const out = [];
    const ways = [];
    for (let up = n.parent; up; up = up.parent) ways.unshift(up);
    for (const up of ways) out.push([up, 0, width, true]);
    const unit = width / Math.max(1e-9, weight(n));
    const open = [[n, 0]];
    while (open.length > 0) {
      const [at, x] = open.pop();
      const wide = at === n ? width : weight(at) * unit;
      if (wide < NARROWEST) continue;
      out.push([at, x, wide, false]);
      let from = x;
      for (const kid of at.kids) { open.push([kid, from]); from += weight(kid) * unit; }
    }
    return out;
  }
  let boxes = new Map();
  function draw() {
    const width = Math.max(100, area.clientWidth || window.innerWidth);
    letter = letter || letterWidth();
    const seen = place(view.zoom, width);
    const depth = seen.reduce((most, [n]) => Math.max(most, n.depth), 0);
    const height = (depth + 1) * ROW;
    graph.setAttribute('width', width);
    graph.setAttribute('height', height);
    boxes = new Map();
    const made = [];
    for (const [n, x, wide, above] of seen) {
      const y = (view.icicle ? n.depth : depth - n.depth) * ROW;
      const g = make(SVG, 'g', {class: above ? 'box above' : 'box', transform: 'translate(' + x + ',' + y + ')'});
      g.append(make(SVG, 'rect', {width: Math.max(0.2, wide - 0.6), height: ROW - 1, rx: 1.5, fill: colour(n)}));
      const text = shortened(n.name, Math.floor((wide - 6) / letter));
      if (text !== '') g.append(make(SVG, 'text', {x: 3, y: 13}, text));
      if (view.matcher && n.depth > 0 && view.matcher(n.name)) g.classList.add('match');
      g.node = n;
      boxes.set(n, g);
      made.push(g);
    }
    graph.replaceChildren(...made);
    for (const [of, on] of [[flip, view.icicle], [turn, view.callers],
      [document.getElementById('before'), view.before], [document.getElementById('shares'), view.shares]])
      if (of) of.setAttribute('aria-pressed', String(on));
    mark();
    sum();
    if (inSvg) fit(width);
  }
  // An SVG file is as large as what it shows.
  function fit() {
    const tall = Math.max(bar.offsetHeight + Number(graph.getAttribute('height')) + 8, window.innerHeight);
    document.documentElement.setAttribute('width', window.innerWidth);
    document.documentElement.setAttribute('height', tall);
    document.documentElement.removeAttribute('viewBox');
    document.getElementById('holder').setAttribute('height', tall);
  }
  function toRoot() { if (!view.icicle) window.scrollTo(0, document.documentElement.scrollHeight || 1e6); else window.scrollTo(0, 0); }

  function mark() {
    for (const g of graph.querySelectorAll('.picked')) g.classList.remove('picked');
    const g = view.picked && boxes.get(view.picked);
    if (g) g.classList.add('picked');
    describe(view.picked || view.zoom);
  }
  function describe(n) {
    const whole = view.before ? view.top.o : view.top.v, own = view.before ? n.os : n.s;
    const name = html('div', {class: 'name'}, n.name + (n.inlined ? ' (inlined)' : ''));
    let text = valueText(view.before ? n.o : n.v) + ', ' + percent(weight(n), whole) + ' of all';
    if (view.zoom.depth > 0) text += ', ' + percent(weight(n), weight(view.zoom)) + ' of what is shown';
    if (!view.callers && n.depth > 0) text += '; itself ' + valueText(own) + ', ' + percent(own, whole);
    if (differs) {
      text += '; before ' + valueText(n.o) + ' (' + percent(n.o, view.top.o) + '), now ' + valueText(n.v) +
        ' (' + percent(n.v, view.top.v) + '): ' + (n.v >= n.o ? '+' : '') + valueText(n.v - n.o);
    }
    if (n.file) text += '; ' + n.file;
    details.replaceChildren(name, html('div', {class: 'numbers'}, text));
  }
  // The sum of all boxes that match, none counted inside another.
  function sum() {
    if (!view.matcher) { found.textContent = ''; return; }
    let value = 0, count = 0;
    const open = [view.zoom];
    while (open.length > 0) {
      const n = open.pop();
      if (n.depth > 0 && view.matcher(n.name)) { value += weight(n); ++count; } else open.push(...n.kids);
    }
    found.textContent = count === 0 ? 'no match'
      : percent(value, weight(view.zoom)) + ' (' + valueText(value) + ') in matches';
  }
  function zoomTo(n) { view.zoom = n; view.picked = n.depth > 0 ? n : null; draw(); }
  function setSearch(text) {
    view.matcher = null;
    const expression = /^\/(.+?)\/?$/.exec(text);
    if (expression) {
      try {
        const compiled = new RegExp(expression[1], 'i');
        view.matcher = name => compiled.test(name);
      } catch (bad) { draw(); found.textContent = 'not a regular expression'; return; }
    } else if (text !== '') {
      const small = text.toLowerCase();
      view.matcher = name => name.toLowerCase().includes(small);
    }
    draw();
  }

  // --- mouse and keyboard -------------------------------------------------------------------------
  const nodeOf = event => { const g = event.target.closest && event.target.closest('.box'); return g && g.node; };
  graph.addEventListener('mousemove', event => { const n = nodeOf(event); if (n) describe(n); });
  graph.addEventListener('mouseleave', () => describe(view.picked || view.zoom));
  graph.addEventListener('click', event => { const n = nodeOf(event); if (n) { zoomTo(n); graph.focus({preventScroll: true}); } });
  search.addEventListener('input', () => setSearch(search.value));
  search.addEventListener('keydown', event => {
    if (event.key === 'Escape') { search.value = ''; setSearch(''); }
    if (event.key === 'Escape' || event.key === 'Enter') { graph.focus({preventScroll: true}); event.preventDefault(); }
    event.stopPropagation();
  });
  function step(way) {
    const at = view.picked || view.zoom;
    const deeper = view.icicle ? 'ArrowDown' : 'ArrowUp';
    let to = null;
    if (way === deeper) to = at.kids.reduce((most, k) => boxes.has(k) && (!most || weight(k) > weight(most)) ? k : most, null);
    else if (way === 'ArrowUp' || way === 'ArrowDown') to = at.parent;
    else if (at.parent) {
      const row = at.parent.kids.filter(k => boxes.has(k));
      to = row[row.indexOf(at) + (way === 'ArrowRight' ? 1 : -1)];
    }
    if (!to) return;
    view.picked = to;
    mark();
    const g = boxes.get(to);
    if (g) g.scrollIntoView({block: 'nearest'});
  }
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target === search) return;
    const key = event.key;
    if (key.startsWith('Arrow')) step(key);
    else if (key === 'Enter' && event.target.localName !== 'button') { if (view.picked) zoomTo(view.picked); }
    else if (key === 'Escape' || key === 'Backspace') zoomTo(key === 'Escape' ? view.top : view.zoom.parent || view.top);
    else if (key === '/') search.focus();
    else if (key === 'i') flip.click();
    else if (key === 'c') turn.click();
    else if (key === 'b' && differs) document.getElementById('before').click();
    else if (key === 's' && differs) document.getElementById('shares').click();
    else return;
    event.preventDefault();
  });
  window.addEventListener('resize', draw);
  draw();
  toRoot();
  graph.focus({preventScroll: true});
})();
