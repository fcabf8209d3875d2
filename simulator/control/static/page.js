"use strict";

const REFRESH_MS = 1000;
const byId = (id) => document.getElementById(id);

function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function fill(select, names) {
  if (select.options.length === names.length) return;
  select.replaceChildren(...names.map((name) => {
    const option = element("option", name.replaceAll("_", " "));
    option.value = name;
    return option;
  }));
}

async function order(station, socket, deed, body) {
  const result = byId("result");
  try {
    const answer = await fetch(`/stations/${encodeURIComponent(station)}/${socket}/${deed}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const told = await answer.json();
    result.textContent = answer.ok ? told.done : JSON.stringify(told.detail);
    result.className = answer.ok ? "good" : "bad";
  } catch (error) {
    result.textContent = String(error);
    result.className = "bad";
  }
  await refresh();
}

const DEEDS = {
  plug: () => ({ vehicle: byId("vehicle").value, soc_fraction: Number(byId("soc").value) / 100,
    token: byId("token").value }),
  unplug: () => ({}),
  tap: () => ({ token: byId("token").value }),
  break: () => ({ kind: byId("kind").value, seconds: Number(byId("seconds").value) }),
};

function buttons(station, socket) {
  const cell = document.createElement("td");
  for (const [deed, body] of Object.entries(DEEDS)) {
    const button = element("button", deed[0].toUpperCase() + deed.slice(1));
    button.type = "button";
    button.dataset.deed = deed;
    button.setAttribute("aria-label", `${button.textContent} ${station.id} socket ${socket.id}`);
    button.addEventListener("click", () => order(station.id, socket.id, deed, body()));
    cell.append(button);
  }
  return cell;
}

function build(station, socket) {
  const made = document.createElement("tr");
  made.dataset.socket = `${station.id}/${socket.id}`;
  made.append(element("td", ""), element("td", socket.id));
  for (const kind of ["", "", "", "number", "number", "number"]) made.append(element("td", "", kind));
  made.append(buttons(station, socket));
  return made;
}

// Rows stay and only their words change: a button is never taken away under the hand.
function update(row, station, socket, first) {
  const faulted = socket.error !== "NoError";
  const words = [
    first ? `${station.id} ${station.online ? station.protocol : "offline"}` : "",
    socket.id,
    socket.state + (faulted ? `, ${socket.error}` : "") + (socket.blocked ? ", bay blocked" : ""),
    socket.pilot,
    socket.car ?? "-",
    socket.soc === null ? "" : `${(100 * socket.soc).toFixed(1)} %`,
    `${socket.power_kw.toFixed(2)} kW`,
    `${socket.import_kwh.toFixed(3)} kWh`,
  ];
  words.forEach((word, index) => { row.cells[index].textContent = word; });
  row.cells[0].className = station.online ? "" : "bad";
  row.cells[2].className = faulted || socket.blocked ? "bad" : "";
  row.querySelector("[data-deed=plug]").disabled = socket.car !== null;
  row.querySelector("[data-deed=unplug]").disabled = socket.car === null;
}

function showSockets(stations) {
  const body = byId("sockets");
  const known = new Map([...body.rows].map((row) => [row.dataset.socket, row]));
  const rows = stations.flatMap((station) => station.sockets.map((socket, index) => {
    const row = known.get(`${station.id}/${socket.id}`) ?? build(station, socket);
    update(row, station, socket, index === 0);
    return row;
  }));
  const same = rows.length === body.rows.length && rows.every((row, index) => row === body.rows[index]);
  if (!same) body.replaceChildren(...rows);
}

function show(told) {
  byId("counters").replaceChildren(...Object.entries(told.counters).map(([name, value]) => {
    const pair = document.createElement("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
  fill(byId("vehicle"), told.vehicles);
  fill(byId("kind"), told.kinds);
  byId("found").textContent = told.found > told.stations.length
    ? `${told.stations.length} of ${told.found} stations are shown: narrow the search.` : "";
  showSockets(told.stations);
  byId("happened").replaceChildren(...told.happened.map(
    (one) => element("li", `${one.at}  ${one.what.replaceAll("_", " ")}  ${one.where}`),
  ));
}

async function refresh() {
  const answer = await fetch(`/state?find=${encodeURIComponent(byId("find").value)}`);
  if (answer.ok) show(await answer.json());
}

byId("orders").addEventListener("submit", (event) => event.preventDefault());
byId("find").addEventListener("input", refresh);
refresh();
setInterval(() => refresh().catch(() => undefined), REFRESH_MS);
