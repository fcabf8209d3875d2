// The network: every node and connection with what flows and what may.

import { clockTime, dayAndTime, number, reason, setTimezone } from "/static/format.js";
import { element, table } from "/static/tables.js";

const REFRESH_MS = 5000;
const SPACE = "http://www.w3.org/2000/svg";
const at = (name) => document.getElementById(name);

function bar(load, limit) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", "0 0 100 6");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const used = limit ? Math.abs(load ?? 0) / limit : 0;
  const kind = used > 1.005 ? "bar over" : used > 0.9 ? "bar near" : "bar";
  for (const [name, width] of [["rail", 100], [kind, Math.min(used, 1) * 100]]) {
    const part = document.createElementNS(SPACE, "rect");
    part.setAttribute("class", name);
    part.setAttribute("width", String(width));
    part.setAttribute("height", "6");
    svg.append(part);
  }
  return svg;
}

function place(name, kind, load, limit, source) {
  const row = element("div", "place");
  row.append(element("span", "name", name), element("span", "muted small", kind));
  row.append(element("span", "flow", `${number(load)} of ${limit === null ? "no limit" : `${number(limit)} kW`}`));
  row.append(bar(load, limit), element("span", "muted small source", reason(source)));
  return row;
}

function branch(node, news) {
  const item = element("li");
  item.append(place(node.id, node.kind, node.load_kw, node.import_limit_kw, node.import_source));
  const below = element("ul");
  for (const child of news.nodes) if (child.parent === node.id) below.append(branch(child, news));
  for (const one of news.connections) {
    if (one.node !== node.id) continue;
    const leaf = element("li");
    const limit = one.load_kw < 0 ? one.export_limit_kw : one.import_limit_kw;
    leaf.append(place(one.id, one.stations.join(", ") || "no station", one.load_kw, limit, one.load_kw < 0 ? one.export_source : one.import_source));
    below.append(leaf);
  }
  if (below.children.length) item.append(below);
  return item;
}

function when(limit) {
  if (limit.daily_from === null) return "always";
  const hours = `${limit.daily_from} to ${limit.daily_to}, daily`;
  return limit.in_force ? `${hours}: in force` : `${hours}: from ${dayAndTime(limit.begins_ms)}`;
}

function show(news) {
  setTimezone(news.timezone);
  at("now").textContent = dayAndTime(news.now_ms);
  at("line").replaceChildren(...news.nodes.filter((node) => node.parent === null).map((node) => branch(node, news)));
  table(at("limits"), ["Node", "Direction", "Limit", "Active power", "Kind", "Kept over", "When", "Source"],
    news.nodes.flatMap((node) => node.limits.map((limit) => [
      node.id, limit.direction, limit.stated, `${number(limit.power_kw)} kW`, limit.kind, limit.averaging, when(limit), limit.source,
    ])), "No node has a limit.");
  table(at("signals"), ["Sender", "Signal", "For", "Direction", "Limit", "From", "To", "Blocks", "State"],
    news.signals.map((each) => [
      each.sender, each.binding ? each.id : `${each.id} (wish)`, each.group, each.direction, `${number(each.limit_kw)} kW`,
      dayAndTime(each.from_ms), dayAndTime(each.to_ms), each.blocks, each.kind === "limit" ? each.status : `${each.kind}, ${each.status}`,
    ]), "No signal has come in the last days. Send them to /api/v1/signals, by OSCP or by OpenADR.");
  table(at("kept"), ["Node", "Direction", "Month", "Quarters metered", "Above the limit", "kWh above it", "kWh above what came too late", "Highest quarter"],
    news.kept.map((each) => [
      each.node, each.direction, each.month, each.unmetered_quarters ? `${each.quarters} (${each.unmetered_quarters} not)` : each.quarters,
      each.exceeded_quarters, number(each.exceeded_kwh, 2), number(each.late_kwh, 2), each.highest_kw === null ? "–" : `${number(each.highest_kw)} kW`,
    ]), "No node has a meter: nothing can be judged.");
  at("locked").hidden = news.may_act;
  for (const name of ["check", "send"]) at(name).disabled = !news.may_act;
  at("link").dataset.state = "live";
  at("link").textContent = `As of ${clockTime(news.now_ms)}`;
}

function showEffect(said, response) {
  if (!response.ok) {
    const lines = said.errors?.length ? said.errors.map((each) => `${each.field}: ${each.message}`) : [said.detail];
    at("effect").textContent = `Refused. ${lines.join(" ")}`;
    return;
  }
  const { effect } = said;
  const limit = effect.lowered_quarters
    ? `The street's limit is lower in ${effect.lowered_quarters} quarters of the coming day, ${number(effect.lowest_kw)} kW at the lowest; ${number(effect.planned_above_kwh)} kWh of the latest plan lie above it and will move.`
    : "The street's limit of the coming day stays as it is.";
  at("effect").textContent = `${said.dry_run ? "Not sent yet." : "Sent; the plan follows."} ${limit}`;
}

async function upload(event) {
  event.preventDefault();
  const body = { sender: at("sender").value, text: at("text").value, dry_run: event.submitter !== at("send") };
  const response = await fetch("/control/grid/signals", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  showEffect(await response.json(), response);
  refresh();
}

async function refresh() {
  try {
    const response = await fetch("/control/grid");
    show(await response.json());
  } catch {
    at("link").dataset.state = "lost";
    at("link").textContent = "Connection lost, trying again";
  }
}

at("upload").addEventListener("submit", upload);
at("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) at("text").value = await file.text();
});
refresh();
setInterval(refresh, REFRESH_MS);
