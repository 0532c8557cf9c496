'use strict';
(() => {
  const data = JSON.parse(document.getElementById('numbers').textContent);
  const last = data.days.length - 1;
  if (last < 0) return;
  const by = id => document.getElementById(id);
  const SVG = 'http://www.w3.org/2000/svg';
  const make = (name, attributes = {}, text) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const tag = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const long = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 });
  const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });
  const show = value => {
    if (value === null || value === undefined) return '–';
    return Math.abs(value) >= 1e7 ? compact.format(value) : long.format(value);
  };
  const percent = value => (value === null || value === undefined ? '–' : `${show(Number((value * 100).toPrecision(4)))} %`);
  const column = (region, variable, name) => data.series[region]?.[variable]?.[name] ?? [];

  // The map.
  const METRICS = {
    share: { variable: 'share', text: percent, breaks: [0.001, 0.005, 0.02, 0.05, 0.15] },
    power_price: { variable: 'power_price_usd_per_kwh', text: value => `${show(value)} USD/kWh` },
    cost: { variable: 'cost_usd_per_btc', text: value => `${show(value)} USD/BTC` },
    loss: { variable: 'lost_ehs', text: value => `${show(value)} EH/s`, positive: true },
  };
  const spots = [...document.querySelectorAll('[data-region]')];
  const names = new Map([...data.places, ...data.countries].map(place => [place.code, place.name]));
  for (const metric of Object.values(METRICS)) {
    if (metric.breaks) continue;
    const values = spots
      .flatMap(spot => column(spot.dataset.region, metric.variable, 'p50'))
      .filter(value => value !== null && (!metric.positive || value > 0))
      .sort((a, b) => a - b);
    const at = part => values[Math.round(part * (values.length - 1))] ?? 0;
    const [low, high] = [metric.positive ? 0 : at(0.02), at(0.98)];
    const breaks = [1, 2, 3, 4, 5].map(step => Number((low + ((high - low) * step) / 6).toPrecision(2)));
    metric.breaks = [...new Set(breaks)].filter(value => value > 0);
  }
  const classOf = (metric, value) => {
    if (value === null || value === undefined) return 'q';
    return `q${metric.breaks.filter(limit => value >= limit).length}`;
  };
  const keys = metric => {
    const list = by('keys');
    list.replaceChildren();
    const entry = (className, text) => {
      const item = tag('li');
      item.append(tag('i', className), text);
      list.append(item);
    };
    const { breaks, text } = metric;
    if (breaks.length === 0) entry('q0', text(0));
    breaks.forEach((limit, at) => entry(`q${at}`, at === 0 ? `below ${text(limit)}` : `${text(breaks[at - 1])} to ${text(limit)}`));
    if (breaks.length > 0) entry(`q${breaks.length}`, `${text(breaks[breaks.length - 1])} and more`);
    entry('q', 'nothing known');
  };
  const hasMap = by('map') !== null;
  const chosen = () => METRICS[document.querySelector('input[name="metric"]:checked').value];
  const paint = day => {
    const metric = chosen();
    for (const spot of spots) {
      const code = spot.dataset.region;
      const value = column(code, metric.variable, 'p50')[day];
      const kind = spot.tagName === 'circle' ? 'region' : 'country';
      spot.setAttribute('class', `${kind} ${classOf(metric, value)}`);
      const share = column(code, 'share', 'p50')[day];
      if (kind === 'region') spot.setAttribute('r', (60 + 700 * Math.sqrt(Math.max(0, share ?? 0))).toFixed(0));
      spot.querySelector('title').textContent = `${names.get(code)}: ${metric.text(value)}; share ${percent(share)}`;
    }
  };

  // Line charts with bands.
  const [W, H, LEFT, TOP, RIGHT, BOTTOM] = [480, 220, 62, 10, 12, 26];
  const times = data.days.map(day => Date.parse(`${day}T00:00:00Z`));
  const x = day => LEFT + (last === 0 ? 0.5 : (times[day] - times[0]) / (times[last] - times[0])) * (W - LEFT - RIGHT);
  const ticks = (low, high) => {
    const rough = (high - low) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 2.5, 5, 10].find(factor => factor * power >= rough) ?? 10);
    const list = [];
    for (let at = Math.ceil(low / step); at * step <= high * (1 + 1e-9) && list.length < 12; at += 1) list.push(Number((at * step).toPrecision(12)));
    return list;
  };
  // Powers of ten, at most six of them.
  const decades = (low, high) => {
    const [first, end] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const step = Math.max(1, Math.ceil((end - first) / 5));
    return Array.from({ length: Math.floor((end - first) / step) + 1 }, (_, at) => Number(`1e${first + at * step}`));
  };
  const frame = (low, high, text, log = false) => {
    const svg = make('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img' });
    const scale = log ? Math.log10 : value => value;
    const part = value => (scale(Math.max(value, low)) - scale(low)) / (scale(high) - scale(low));
    const y = value => H - BOTTOM - (log ? part(value) : (value - low) / (high - low)) * (H - TOP - BOTTOM);
    for (const value of log ? decades(low, high) : ticks(low, high)) {
      svg.append(make('line', { class: 'axis', x1: LEFT, x2: W - RIGHT, y1: y(value), y2: y(value) }));
      svg.append(make('text', { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' }, text(value)));
    }
    const marks = last === 0 ? [0] : [0, Math.round(last / 2), last];
    marks.forEach((day, at) => {
      const anchor = last === 0 ? 'middle' : ['start', 'middle', 'end'][at];
      svg.append(make('text', { x: x(day), y: H - 6, 'text-anchor': anchor }, data.days[day]));
    });
    return { svg, y };
  };
  // Days on which both are known, in pieces.
  const pieces = (low, high) => {
    const list = [[]];
    low.forEach((value, day) => {
      if (value === null || high[day] === null) list.push([]);
      else list[list.length - 1].push(day);
    });
    return list.filter(piece => piece.length > 0);
  };
  const area = (low, high, y) => pieces(low, high).map(days => {
    const point = values => day => `${x(day).toFixed(1)} ${y(values[day]).toFixed(1)}`;
    return `M${days.map(point(high)).join('L')}L${[...days].reverse().map(point(low)).join('L')}z`;
  }).join('');
  const line = (values, y) => pieces(values, values).map(days =>
    `M${days.map(day => `${x(day).toFixed(1)} ${y(values[day]).toFixed(1)}`).join('L')}${days.length === 1 ? 'h0.1' : ''}`).join('');
  const cursors = [];
  const cursor = svg => {
    const mark = make('line', { class: 'cursor', y1: TOP, y2: H - BOTTOM });
    svg.append(mark);
    return day => {
      mark.setAttribute('x1', x(day));
      mark.setAttribute('x2', x(day));
    };
  };
  const draw = (figure, title, unit, region, variable, text = show, log = false) => {
    const [p05, p25, p50, p75, p95] = ['p05', 'p25', 'p50', 'p75', 'p95'].map(name => column(region, variable, name));
    const known = [...p05, ...p95, ...p50].filter(value => value !== null);
    let low = Math.min(...known, Infinity);
    let high = Math.max(...known, -Infinity);
    if (known.length === 0) [low, high] = [0, 1];
    // From nothing, unless what changes is a small part of the whole.
    if (log) {
      const positive = known.filter(value => value > 0);
      [low, high] = positive.length > 0 ? [Math.min(...positive), Math.max(...positive)] : [1, 10];
      [low, high] = [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 1e-9)];
    } else if (low > 0 && low < 0.7 * high) low = 0;
    if (high <= low) [low, high] = log ? [low, low * 10] : [Math.min(0, low), Math.max(1.2 * high, low + 1e-9)];
    const { svg, y } = frame(low, high, text, log);
    const first = `${text(p50[0])} on ${data.days[0]}`;
    svg.setAttribute('aria-label', `${title}, ${unit}: median ${first}, ${text(p50[last])} on ${data.days[last]}; ` +
      `nine runs of ten end between ${text(p05[last])} and ${text(p95[last])}`);
    svg.append(make('path', { class: 'outer', d: area(p05, p95, y) }));
    svg.append(make('path', { class: 'inner', d: area(p25, p75, y) }));
    svg.append(make('path', { class: 'median', d: line(p50, y) }));
    const move = cursor(svg);
    const value = tag('p', 'value');
    figure.replaceChildren(tag('h3', '', title), tag('figcaption', '', unit), svg, value);
    return day => {
      move(day);
      value.textContent = `${data.days[day]}: ${text(p50[day])} (${text(p05[day])} to ${text(p95[day])})`;
    };
  };
  for (const figure of document.querySelectorAll('figure[data-variable]')) {
    const { variable, title, region = 'WORLD', log } = figure.dataset;
    const { unit } = (region === 'WORLD' ? data.variables : data.regional)[variable];
    const [unitText, text] = variable === 'share' ? ['of the network', percent] : [unit === '1' ? 'no unit' : unit, show];
    cursors.push(draw(figure, title, log === undefined ? unitText : `${unitText}, each line ten times or more`, region, variable, text, log !== undefined));
  }

  // One country at a time.
  const mean = code => column(code, 'share', 'mean');
  const sum = code => mean(code).reduce((total, value) => total + (value ?? 0), 0);
  const ranked = [...data.countries].sort((a, b) => sum(b.code) - sum(a.code));
  const select = by('country');
  for (const { code, name } of select ? ranked : []) {
    const option = tag('option', '', name);
    option.value = code;
    select.append(option);
  }
  let countries = [];
  const drawCountry = () => {
    if (!select || ranked.length === 0) return;
    const name = names.get(select.value);
    countries = [
      draw(by('country-hashrate'), `Hashrate: ${name}`, 'EH/s', select.value, 'hashrate_ehs'),
      draw(by('country-share'), `Share: ${name}`, 'of the network', select.value, 'share', percent),
    ];
  };

  // Shares on top of each other: means, because only they add up.
  const SHOWN = 8;
  const drawStack = (figure, title, parts, others) => {
    const zero = data.days.map(() => 0);
    const add = (below, code) => below.map((value, day) => value + (mean(code)[day] ?? 0));
    const layers = parts.slice(0, SHOWN).map(({ code, name }) => ({ name, codes: [code] }));
    if (parts.length > SHOWN) layers.push({ name: others, codes: parts.slice(SHOWN).map(({ code }) => code) });
    const total = parts.reduce((below, { code }) => add(below, code), zero);
    const { svg, y } = frame(0, Math.max(1e-9, ...total), percent);
    svg.setAttribute('class', 'stack');
    svg.setAttribute('aria-label', `Mean ${title.toLowerCase()} on ${data.days[last]}: ` +
      parts.slice(0, SHOWN).map(({ code, name }) => `${name} ${percent(mean(code)[last])}`).join(', '));
    const list = tag('ul', 'keys');
    let below = zero;
    layers.forEach(({ name, codes }, at) => {
      const above = codes.reduce(add, below);
      const shape = make('path', { class: `s${at}`, d: area(below, above, y) });
      shape.append(make('title', {}, name));
      svg.append(shape);
      const item = tag('li');
      item.append(tag('i', `s${at}`), name);
      list.append(item);
      below = above;
    });
    cursors.push(cursor(svg));
    figure.replaceChildren(tag('h3', '', title), tag('figcaption', '', 'mean over the runs'), svg, list);
  };
  if (ranked.length > 0) drawStack(by('stack'), 'Share by country', ranked, 'other countries');
  for (const figure of document.querySelectorAll('figure[data-stack]')) {
    const parts = figure.dataset.stack.split(' ').map(code => ({ code, name: data.names[code] }));
    drawStack(figure, figure.dataset.title, parts, figure.dataset.others);
  }

  // Numbers of the regions on the day chosen.
  const rows = data.places.map(({ code, name }) => {
    const row = tag('tr');
    const cells = [tag('td', 'words', name), ...Array.from({ length: 6 }, () => tag('td', 'n'))];
    row.append(...cells);
    by('regions').append(row);
    return day => {
      const value = (variable, of = 'p50') => column(code, variable, of)[day];
      const texts = [
        percent(value('share')), `${percent(value('share', 'p05'))} to ${percent(value('share', 'p95'))}`,
        show(value('hashrate_ehs')), show(value('power_price_usd_per_kwh')),
        show(value('cost_usd_per_btc')), show(value('lost_ehs')),
      ];
      texts.forEach((text, at) => { cells[at + 1].textContent = text; });
    };
  });

  const slider = by('when');
  const update = () => {
    const day = Number(slider.value);
    slider.setAttribute('aria-valuetext', data.days[day]);
    for (const place of document.querySelectorAll('.day')) place.textContent = data.days[day];
    if (hasMap) paint(day);
    for (const step of [...cursors, ...countries, ...rows]) step(day);
  };
  slider.max = String(last);
  slider.value = String(last);
  slider.addEventListener('input', update);
  for (const radio of document.querySelectorAll('input[name="metric"]')) {
    radio.addEventListener('change', () => {
      keys(chosen());
      update();
    });
  }
  select?.addEventListener('change', () => {
    drawCountry();
    update();
  });
  if (hasMap) keys(chosen());
  drawCountry();
  update();
})();
