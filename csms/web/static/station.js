// One station: drawn from its own facts, fetched again when the street's news name it.

import { drawSocket } from "/static/chart.js";
import { clockTime, dayAndTime, number, setTimezone } from "/static/format.js";
import { buildSocket } from "/static/stations.js";
import { element, table } from "/static/tables.js";

const REFRESH_MS = 15000;
const PAUSE_MS = 1000;
const id = decodeURIComponent(location.pathname.split("/").at(-1));
const facts = `/control/stations/${encodeURIComponent(id)}`;
const at = (name) => document.getElementById(name);
let fetchedAt = -PAUSE_MS;
let waiting = null;

const ACTIONS = [
  { action: "unlock", words: "Unlock", each: true, says: "The station lets go of the cable. A running session may end." },
  { action: "stop", words: "Stop session", each: true, used: true, says: "The running session ends now." },
  { action: "start", words: "Start session", each: true, used: false, token: true, says: "A session begins as if this token had been shown." },
  { action: "disable", words: "Out of service", each: true, says: "Nobody can plug in here until it is taken into service again." },
  { action: "enable", words: "Into service", each: true, says: "The socket can be used again." },
  { action: "refresh", words: "Ask status", each: true, says: "The station says its status again." },
  { action: "reset", words: "Restart", says: "The station starts anew when it can; it is offline for a minute." },
  { action: "reset", immediate: true, words: "Restart now", says: "The station starts anew at once: running sessions end." },
];

function showSockets(news) {
  const rows = news.live.sockets.map((socket, index) => {
    const row = element("div", "socket-day");
    const chart = element("div", "chart");
    chart.role = "img";
    chart.ariaLabel = `Socket ${socket.id}: measured and planned power over the day, in kW`;
    row.append(buildSocket(socket), chart);
    return { row, chart, day: news.day.sockets[index] };
  });
  at("sockets").replaceChildren(...rows.map(({ row }) => row));
  for (const { chart, day } of rows) if (day) drawSocket(chart, news.day, day, news.now_ms);
}

function showActions(news) {
  at("locked").hidden = news.may_act;
  const buttons = [];
  for (const wanted of ACTIONS) {
    for (const socket of wanted.each ? news.live.sockets : [null]) {
      if (socket && wanted.used !== undefined && wanted.used !== Boolean(socket.session)) continue;
      const button = element("button", "", socket ? `${wanted.words} ${socket.id}` : wanted.words);
      button.type = "button";
      button.disabled = !news.may_act;
      button.addEventListener("click", () => ask(wanted, socket));
      buttons.push(button);
    }
  }
  const focused = document.activeElement?.textContent;
  at("actions").replaceChildren(...buttons);
  if (focused) buttons.find((button) => button.textContent === focused)?.focus();
}

function ask(wanted, socket) {
  const dialog = at("confirm");
  at("question").textContent = `${socket ? `${wanted.words}, socket ${socket.id}` : wanted.words}?`;
  at("consequence").textContent = wanted.says;
  at("token-row").hidden = !wanted.token;
  at("start-token").required = Boolean(wanted.token);
  dialog.onclose = () => {
    if (dialog.returnValue === "yes") act(wanted, socket);
    dialog.returnValue = "";
  };
  dialog.showModal();
}

async function act(wanted, socket) {
  const body = { action: wanted.action };
  if (wanted.immediate) body.immediate = true;
  if (socket) body.evse_id = socket.id;
  if (wanted.token) body.token = at("start-token").value;
  at("result").textContent = `${wanted.words}: asking the station`;
  const response = await fetch(`${facts}/actions`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const said = await response.json();
  at("result").textContent = `${wanted.words}: ${said.outcome ?? "refused"}, ${said.detail}`;
  await refresh();
}

function show(news) {
  setTimezone(news.timezone);
  at("now").textContent = dayAndTime(news.now_ms);
  at("name").textContent = id;
  document.title = `${id} · wijkstroom`;
  const { station } = news;
  const version = (station.version ?? "").replace("ocpp", "OCPP ");
  at("about").textContent = `${station.model} on ${station.connection} · ${station.connected ? version : "offline"}`;
  showSockets(news);
  showActions(news);
  table(at("sessions"), ["Socket", "From", "To", "kWh in", "kWh back"], news.sessions.map((each) => [
    each.evse_id ?? "–", dayAndTime(Date.parse(each.started_at)), each.ended_at ? dayAndTime(Date.parse(each.ended_at)) : "running",
    number(each.imported_kwh, 2), number(each.exported_kwh, 2),
  ]), "No session yet.");
  table(at("notices"), ["Last", "What", "Times", "Detail"], news.notices.map((each) => [
    dayAndTime(each.at_ms), each.kind, each.count, each.detail,
  ]), "Nothing remarkable.");
  table(at("messages"), ["At", "", "Message", "Content"], news.messages.map((each) => [
    clockTime(each.at_ms), each.way === "sent" ? "→ station" : "← station", `${each.action ?? "?"} ${each.kind === "call" ? "" : each.kind}`, each.payload,
  ]), "No message kept yet.");
  table(at("deeds"), ["At", "Who", "What", "With", "Came of it"], news.deeds.map((each) => [
    dayAndTime(each.at_ms), each.actor, each.deed, each.detail, each.outcome,
  ]), "Nothing yet.");
}

function showLink(state, words) {
  at("link").dataset.state = state;
  at("link").textContent = words;
}

async function refresh() {
  fetchedAt = performance.now();
  const response = await fetch(facts);
  if (response.ok) {
    show(await response.json());
    showLink("live", "Live");
  } else showLink("lost", (await response.json()).detail);
}

function refreshSoon() {
  if (waiting === null) {
    waiting = setTimeout(() => {
      waiting = null;
      refresh();
    }, Math.max(0, fetchedAt + PAUSE_MS - performance.now()));
  }
}

const source = new EventSource("/live/events");
source.addEventListener("change", (event) => {
  const news = JSON.parse(event.data);
  const named = news.day || news.stations?.some((station) => station.id === id);
  if (named || performance.now() - fetchedAt > REFRESH_MS) refreshSoon();
});
source.addEventListener("error", () => showLink("lost", "Connection lost, trying again"));
refresh();
