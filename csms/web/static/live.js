// The live page: one stream of the service's own news, drawn as it comes.

import { drawPower, drawPrices } from "/static/chart.js";
import { clockTime, dayAndTime, number, percent, reason, setTimezone } from "/static/format.js";
import { anyShown, setFilter, showStations } from "/static/stations.js";

const SILENCE_MS = 20000;
const SHOWN_ALERTS = 50;
const KEPT_BUCKETS = 289;
const at = (id) => document.getElementById(id);
const view = { day: null, trace: [], totals: null };
let heardAt = performance.now();
let drawing = false;

function setText(id, text) {
  const place = at(id);
  if (place.textContent !== text) place.textContent = text;
}

function showLink(state, words) {
  at("link").dataset.state = state;
  setText("link", words);
}

function showTotals(totals) {
  view.totals = totals;
  setText("now", dayAndTime(totals.now_ms));
  setText("node", number(totals.node_kw));
  setText("limit", totals.limit_kw === null ? "no limit" : `${number(totals.limit_kw, 0)} kW`);
  setText("limit-source", reason(totals.limit_source));
  setText("charging", number(totals.charging_kw));
  setText("discharging", number(totals.discharging_kw));
  setText("pv", number(totals.pv_kw));
  setText("price", number(totals.price_eur_per_mwh, 2));
  setText("sessions", String(totals.sessions));
  setText("connected", String(totals.connected));
  setText("station-count", String(totals.stations));
  showGauge(totals);
}

function showGauge(totals) {
  const used = totals.limit_kw && totals.node_kw !== null ? Math.max(totals.node_kw / totals.limit_kw, 0) : 0;
  const bar = at("gauge-bar");
  bar.setAttribute("width", String(Math.min(used, 1) * 100));
  bar.setAttribute("class", used > 1 ? "bar over" : used > 0.9 ? "bar near" : "bar");
  at("gauge").parentElement.title = `${percent(used)} of the limit`;
}

function showPlan(plan) {
  if (!plan) return;
  setText("plan-status", `${clockTime(plan.at_ms)}, ${plan.status}, ${number(plan.solve_seconds, 2)} s`);
  at("plan-explanation").replaceChildren(
    ...plan.explanation.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }),
  );
}

function showAlerts(alerts) {
  setText("alerts-count", alerts.length ? `${alerts.length} open` : "Nothing needs you");
  at("alerts").replaceChildren(
    ...alerts.slice(0, SHOWN_ALERTS).map((alert) => {
      const item = document.createElement("li");
      item.dataset.severity = alert.severity;
      for (const [kind, words] of [["severity", alert.severity], ["what", `${alert.place}: ${alert.what}`], ["remedy", alert.remedy]]) {
        const part = document.createElement("span");
        part.className = kind;
        part.textContent = words;
        item.append(part);
      }
      return item;
    }),
  );
}

function addTrace(points) {
  for (const point of points) {
    const index = view.trace.findLastIndex((old) => old.at_ms <= point.at_ms);
    if (index >= 0 && view.trace[index].at_ms === point.at_ms) view.trace[index] = point;
    else view.trace.splice(index + 1, 0, point);
  }
  view.trace.splice(0, Math.max(view.trace.length - KEPT_BUCKETS, 0));
}

function draw() {
  drawing = false;
  if (!view.day || !view.totals) return;
  drawPower(at("power-chart"), view.day, view.trace, view.totals.now_ms);
  drawPrices(at("price-chart"), view.day, view.totals.now_ms);
  fillTable();
}

function drawSoon() {
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(draw);
  }
}

const COLUMNS = ["Time", "Transformer kW", "Charging kW", "Giving back kW", "Sun kW", "Planned kW", "Limit kW", "EUR/MWh"];

function row(cells, kind) {
  const line = document.createElement("tr");
  cells.forEach((text, index) => {
    const cell = document.createElement(index === 0 || kind === "th" ? "th" : "td");
    if (kind === "th" || index === 0) cell.scope = kind === "th" ? "col" : "row";
    cell.textContent = text;
    line.append(cell);
  });
  return line;
}

function fillTable() {
  const details = at("figures-table");
  if (!details.open) return;
  const { day, trace } = view;
  const table = document.createElement("table");
  table.createTHead().append(row(COLUMNS, "th"));
  const body = table.createTBody();
  day.limit_kw.forEach((limit, index) => {
    const from = day.start_ms + index * day.step_ms;
    const found = trace.filter((point) => point.at_ms >= from && point.at_ms < from + day.step_ms);
    const mean = (key) => {
      const known = found.map((point) => point[key]).filter((value) => value !== null);
      return number(known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null);
    };
    body.append(row([
      clockTime(from), mean("node_kw"), mean("charging_kw"), mean("discharging_kw"), mean("pv_kw"),
      number(day.planned_kw[index]), number(limit, 0), number(day.price_eur_per_mwh[index], 2),
    ]));
  });
  details.querySelector(".scroll").replaceChildren(table);
}

function take(news, whole) {
  heardAt = performance.now();
  showLink("live", "Live");
  if (news.street) {
    setTimezone(news.street.timezone);
    setText("street", news.street.name);
    document.title = `${news.street.name} · wijkstroom`;
  }
  if (news.day) view.day = news.day;
  if (whole) view.trace = [];
  if (news.trace) addTrace(news.trace);
  if (news.alerts) showAlerts(news.alerts);
  if (news.plan) showPlan(news.plan);
  if (news.totals) showTotals(news.totals);
  if (news.stations) {
    showStations(at("stations"), news.stations, whole);
    at("none-shown").hidden = anyShown();
  }
  drawSoon();
}

function connect() {
  const source = new EventSource("/live/events");
  source.addEventListener("snapshot", (event) => take(JSON.parse(event.data), true));
  source.addEventListener("change", (event) => take(JSON.parse(event.data), false));
  source.addEventListener("error", () => {
    showLink("lost", "Connection lost, trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  });
}

setInterval(() => {
  if (performance.now() - heardAt > SILENCE_MS) showLink("lost", "No news for a while");
}, 2000);

for (const button of document.querySelectorAll("[data-filter]")) {
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll("[data-filter]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    setFilter(button.dataset.filter);
    at("none-shown").hidden = anyShown();
  });
}

at("figures-table").addEventListener("toggle", fillTable);
new ResizeObserver(drawSoon).observe(at("power-chart"));
connect();
