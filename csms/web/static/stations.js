// Cards of stations, kept by id: only what changed is built anew. Everything that a station says is a text node.

import { clockTime, number, percent } from "/static/format.js";
import { element } from "/static/tables.js";

const SPACE = "http://www.w3.org/2000/svg";
const MOVING_KW = 0.05;
const TROUBLE = new Set(["Faulted", "Unavailable"]);
const WORDS = {
  Available: "Free", Occupied: "Occupied", Preparing: "Plugging in", Finishing: "Finishing", Reserved: "Reserved",
  Charging: "Charging", SuspendedEV: "Car pauses", SuspendedEVSE: "Paused by plan", Unavailable: "Out of service", Faulted: "Fault",
};
const cards = new Map();
let filter = "all";

function kindOf(socket) {
  if (TROUBLE.has(socket.status)) return "trouble";
  if (!socket.session) return socket.status === "Available" ? "free" : "unknown";
  if (socket.session.power_kw > MOVING_KW) return "charging";
  return socket.session.power_kw < -MOVING_KW ? "discharging" : "waiting";
}

function whatOf(socket, kind) {
  const words = { charging: "Charging", discharging: "Giving back", waiting: "Plugged in, waiting" };
  return words[kind] ?? WORDS[socket.status] ?? "Not heard of yet";
}

function moreOf(session) {
  const taken = number(session.imported_kwh);
  const words = [session.wanted_kwh === null ? `${taken} kWh` : `${taken} of ${number(session.wanted_kwh)} kWh`];
  if (session.exported_kwh >= 0.05) words.push(`${number(session.exported_kwh)} kWh back`);
  if (session.wanted_soc_fraction !== null) words.push(`until ${percent(session.wanted_soc_fraction)}`);
  words.push(session.departure_ms === null ? `since ${clockTime(session.since_ms)}` : `leaves ${clockTime(session.departure_ms)}`);
  return words.join(" · ");
}

function mark(kind) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SPACE, "path");
  const shapes = {
    charging: "M10 2 17 15H3z", discharging: "M10 18 3 5h14z", trouble: "M4 4 16 16M16 4 4 16",
  };
  shape.setAttribute("d", shapes[kind] ?? "M10 4a6 6 0 1 1 0 12a6 6 0 1 1 0-12");
  shape.setAttribute("class", "dot");
  svg.append(shape);
  return svg;
}

export function buildSocket(socket) {
  const kind = kindOf(socket);
  const row = element("div", "socket");
  row.dataset.kind = kind;
  row.append(mark(kind), element("span", "what", `${socket.id}. ${whatOf(socket, kind)}`));
  const session = socket.session;
  row.append(element("span", "power", session ? `${number(Math.abs(session.power_kw))} kW` : ""));
  if (session) {
    row.append(element("span", "more", moreOf(session)));
    if (session.soc_fraction !== null) row.append(buildBattery(session.soc_fraction));
  } else if (socket.emi3) row.append(element("span", "more", socket.emi3));
  return row;
}

function buildBattery(fraction) {
  const row = element("span", "battery");
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 100 6");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, width] of [["rail", 100], ["bar", 100 * fraction]]) {
    const part = document.createElementNS(SPACE, "rect");
    part.setAttribute("class", name);
    part.setAttribute("width", String(width));
    part.setAttribute("height", "6");
    svg.append(part);
  }
  row.append(svg, element("span", "hidden", "battery "), element("span", "", percent(fraction)));
  return row;
}

function fill(card, station) {
  card.classList.toggle("offline", !station.connected);
  const head = element("header");
  const title = element("h3");
  const link = element("a", "", station.id);
  link.href = `/stations/${encodeURIComponent(station.id)}`;
  title.append(link);
  head.append(title);
  head.append(element("span", "", station.connected ? `${station.model} · ${(station.version ?? "").replace("ocpp", "OCPP ")}` : "offline"));
  card.replaceChildren(head, ...station.sockets.map(buildSocket));
  card.dataset.used = String(station.sockets.some((socket) => socket.session));
  card.dataset.trouble = String(!station.connected || station.sockets.some((socket) => TROUBLE.has(socket.status)));
}

const shown = (card) => filter === "all" || card.dataset[filter] === "true";

export function showStations(host, stations, whole) {
  if (whole) {
    cards.clear();
    host.replaceChildren();
  }
  const fresh = document.createDocumentFragment();
  for (const station of stations) {
    let card = cards.get(station.id);
    if (!card) {
      card = element("li", "station");
      cards.set(station.id, card);
      fresh.append(card);
    }
    fill(card, station);
    card.hidden = !shown(card);
  }
  host.append(fresh);
}

export function setFilter(name) {
  filter = name;
  for (const card of cards.values()) card.hidden = !shown(card);
}

export const anyShown = () => [...cards.values()].some((card) => !card.hidden);
