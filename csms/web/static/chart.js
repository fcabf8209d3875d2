// Two drawings of a day, as SVG: power against limit, and prices. Text goes in as text nodes only.

import { clockTime, number, reason } from "/static/format.js";

const SPACE = "http://www.w3.org/2000/svg";
const LEFT = 44;
const RIGHT = 10;
const HOUR_MS = 3600000;

function add(parent, name, attributes = {}, text = null) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.append(document.createTextNode(text));
  parent.append(element);
  return element;
}

function niceStep(span, wanted) {
  const rough = span / wanted;
  const base = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * base).find((step) => step >= rough);
}

function scale(values, wanted, least) {
  const known = values.filter((value) => Number.isFinite(value));
  const high = Math.max(least, ...known);
  const low = Math.min(0, ...known);
  const step = niceStep(high - low, wanted);
  return { low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step, step };
}

function frame(host, range, day, top, bottom) {
  const width = host.clientWidth;
  const height = host.clientHeight;
  const begin = day.start_ms;
  const end = begin + day.limit_kw.length * day.step_ms;
  const x = (ms) => LEFT + ((ms - begin) / (end - begin)) * (width - LEFT - RIGHT);
  const y = (value) => top + ((range.high - value) / (range.high - range.low)) * (height - top - bottom);
  const svg = add(document.createDocumentFragment(), "svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (let value = range.low; value <= range.high + range.step / 2; value += range.step) {
    const zero = Math.abs(value) < range.step / 2;
    add(svg, "line", { class: zero ? "zero" : "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) });
    add(svg, "text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, range.step < 1 ? 1 : 0));
  }
  return { svg, x, y, width, height, begin, end, floor: height - bottom, top };
}

function drawHours(box) {
  const every = box.width < 520 ? 6 : box.width < 900 ? 3 : 2;
  for (let ms = box.begin; ms < box.end; ms += every * HOUR_MS) {
    add(box.svg, "text", { x: box.x(ms), y: box.height - 4, "text-anchor": "middle" }, clockTime(ms));
  }
}

// Runs of neighbouring points where a value is known, as [x, y] lists; a gap breaks the line.
function runs(points, value, box, gapMs) {
  const found = [];
  let last = -Infinity;
  for (const point of points) {
    const known = value(point);
    if (known === null || point.at_ms < box.begin || point.at_ms > box.end) continue;
    if (point.at_ms - last > gapMs) found.push([]);
    found.at(-1).push([box.x(point.at_ms), box.y(known)]);
    last = point.at_ms;
  }
  return found;
}

const path = (run) => run.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function drawArea(box, name, found) {
  const zero = box.y(0).toFixed(1);
  for (const run of found) {
    add(box.svg, "path", { class: name, d: `${path(run)}V${zero}H${run[0][0].toFixed(1)}Z` });
  }
}

// Steps of equal values: [{from, to, value, source}], ends in ms.
export function limitSteps(day) {
  const steps = [];
  day.limit_kw.forEach((value, index) => {
    const from = day.start_ms + index * day.step_ms;
    const source = day.limit_source[index];
    const last = steps.at(-1);
    if (last && last.value === value && last.source === source) last.to = from + day.step_ms;
    else steps.push({ from, to: from + day.step_ms, value, source });
  });
  return steps;
}

function drawLimit(box, day, range) {
  const line = [];
  for (const step of limitSteps(day)) {
    if (step.value === null) continue;
    const [from, to] = [box.x(step.from), box.x(step.to)];
    const above = step.value > range.high;
    const y = above ? box.top : box.y(step.value);
    line.push([from, y], [to, y]);
    if (!above) add(box.svg, "rect", { class: "over", x: from, width: to - from, y: box.top, height: Math.max(y - box.top, 0) });
    const room = to - from;
    const words = [reason(step.source), `${number(step.value, 0)} kW${above ? " ↑" : ""}`].filter((each) => each.length * 8 + 8 < room);
    words.reverse().forEach((each, index) => {
      const line = above ? 15 * (words.length - index) : -7 - 15 * index;
      add(box.svg, "text", { class: "limit-name", x: from + 6, y: y + line }, each);
    });
  }
  if (line.length) add(box.svg, "path", { class: "limit", d: path(line) });
}

function drawPlanned(box, day) {
  const line = [];
  day.planned_kw.forEach((value, index) => {
    if (value === null) return;
    const from = day.start_ms + index * day.step_ms;
    line.push([box.x(from), box.y(value)], [box.x(from + day.step_ms), box.y(value)]);
  });
  if (line.length) add(box.svg, "path", { class: "planned", d: path(line) });
}

function powerRange(day, trace) {
  const limits = day.limit_kw.filter((value) => value !== null);
  const measured = trace.flatMap((point) => [point.node_kw, point.pv_kw, point.charging_kw, -(point.discharging_kw ?? 0)]);
  const planned = day.planned_kw.filter((value) => value !== null);
  const lowest = limits.length ? Math.min(...limits) : 0;
  const highest = Math.max(0, ...measured, ...planned);
  // A limit far above all that flows would press the day flat: it is then named at the upper edge.
  return scale([...measured, ...planned, highest * 1.1, lowest <= 3 * highest || highest === 0 ? lowest * 1.15 : 0], 5, 10);
}

export function drawPower(host, day, trace, nowMs) {
  const shown = trace.filter((point) => point.at_ms >= day.start_ms);
  const range = powerRange(day, shown);
  const box = frame(host, range, day, 18, 22);
  const gap = 30 * 60000;
  drawArea(box, "sun", runs(shown, (point) => point.pv_kw, box, gap));
  drawArea(box, "charging", runs(shown, (point) => point.charging_kw, box, gap));
  drawArea(box, "discharging", runs(shown, (point) => (point.discharging_kw === null ? null : -point.discharging_kw), box, gap));
  drawLimit(box, day, range);
  drawPlanned(box, day);
  for (const run of runs(shown, (point) => point.node_kw, box, gap)) add(box.svg, "path", { class: "node", d: path(run) });
  drawNow(box, nowMs);
  drawHours(box);
  finish(host, box, (ms) => powerTip(day, shown, ms));
}

export function drawPrices(host, day, nowMs) {
  const known = day.price_eur_per_mwh.filter((value) => value !== null);
  const box = frame(host, scale(known, 3, 10), day, 8, 22);
  day.price_eur_per_mwh.forEach((value, index) => {
    if (value === null) return;
    const from = day.start_ms + index * day.step_ms;
    const [zero, y] = [box.y(0), box.y(value)];
    add(box.svg, "rect", {
      "shape-rendering": "crispEdges", class: from < day.price_known_until_ms ? "price" : "price forecast",
      x: box.x(from), width: box.x(from + day.step_ms) - box.x(from) + 0.3,
      y: Math.min(zero, y), height: Math.max(Math.abs(zero - y), 0.6),
    });
  });
  drawNow(box, nowMs);
  drawHours(box);
  finish(host, box, (ms) => `${clockTime(ms)}\n${number(day.price_eur_per_mwh[quarterOf(day, ms)], 2)} EUR/MWh`);
}

// One socket: measured as an area in steps, planned as a dashed line.
export function drawSocket(host, day, socket, nowMs) {
  const shape = { start_ms: day.start_ms, step_ms: day.step_ms, limit_kw: socket.planned_kw };
  const known = [...socket.measured_kw, ...socket.planned_kw.filter((value) => value !== null)];
  const box = frame(host, scale(known, 3, 4), shape, 8, 22);
  socket.measured_kw.forEach((value, index) => {
    const from = day.start_ms + index * day.step_ms;
    if (!value || from > nowMs) return;
    const [zero, y] = [box.y(0), box.y(value)];
    add(box.svg, "rect", {
      class: value > 0 ? "charging" : "discharging", "shape-rendering": "crispEdges", x: box.x(from),
      width: box.x(from + day.step_ms) - box.x(from) + 0.3, y: Math.min(zero, y), height: Math.abs(zero - y),
    });
  });
  drawPlanned(box, { ...shape, planned_kw: socket.planned_kw });
  drawNow(box, nowMs);
  drawHours(box);
  finish(host, box, (ms) => {
    const quarter = quarterOf(day, ms);
    const lines = [clockTime(ms)];
    if (ms <= nowMs && socket.measured_kw[quarter] !== undefined) lines.push(`measured ${number(socket.measured_kw[quarter])} kW`);
    if (socket.planned_kw[quarter] !== null) lines.push(`planned ${number(socket.planned_kw[quarter])} kW`);
    return lines.join("\n");
  });
}

function drawNow(box, nowMs) {
  if (nowMs >= box.begin && nowMs <= box.end) {
    add(box.svg, "line", { class: "now", x1: box.x(nowMs), x2: box.x(nowMs), y1: box.top, y2: box.floor });
  }
}

const quarterOf = (day, ms) => Math.floor((ms - day.start_ms) / day.step_ms);

function powerTip(day, trace, ms) {
  const quarter = quarterOf(day, ms);
  const near = trace.findLast((point) => point.at_ms <= ms && ms - point.at_ms < 10 * 60000);
  const lines = [clockTime(ms)];
  if (near) {
    lines.push(`transformer ${number(near.node_kw)} kW`, `charging ${number(near.charging_kw)} kW`);
    if (near.discharging_kw) lines.push(`giving back ${number(near.discharging_kw)} kW`);
    if (near.pv_kw !== null) lines.push(`sun ${number(near.pv_kw)} kW`);
  } else if (day.planned_kw[quarter] !== null) lines.push(`planned ${number(day.planned_kw[quarter])} kW`);
  if (day.limit_kw[quarter] !== null) lines.push(`limit ${number(day.limit_kw[quarter], 0)} kW`);
  return lines.join("\n");
}

// Replace the drawing, keep the pointer's tip.
function finish(host, box, words) {
  host.replaceChildren(box.svg);
  host.onpointermove = (event) => {
    const left = event.clientX - host.getBoundingClientRect().left;
    const ms = box.begin + ((left - LEFT) / (box.width - LEFT - RIGHT)) * (box.end - box.begin);
    if (ms >= box.begin && ms < box.end) showTip(host, box, left, words(ms));
    else hideTip(host);
  };
  host.onpointerleave = () => hideTip(host);
}

function showTip(host, box, left, words) {
  hideTip(host);
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.textContent = words;
  host.append(tip);
  tip.style.left = `${Math.min(left + 12, box.width - tip.offsetWidth)}px`;
  const cursor = add(box.svg, "line", { class: "cursor", x1: left, x2: left, y1: box.top, y2: box.floor });
  tip.cursorLine = cursor;
}

function hideTip(host) {
  const tip = host.querySelector(".tip");
  if (tip) {
    tip.cursorLine.remove();
    tip.remove();
  }
}
