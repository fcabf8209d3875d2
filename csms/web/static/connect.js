// The guide: asks where a station stands, again and again, until it works.

import { element } from "/static/tables.js";

const AGAIN_MS = 2000;
const at = (name) => document.getElementById(name);
let name = "";

function showName(news) {
  at("table").hidden = !news.valid || news.configured;
  at("table").textContent = news.table;
  at("name-said").textContent = !news.valid
    ? "A name has 1 to 48 letters, digits and * + = | @ . _ -"
    : news.configured
      ? "This station is in the street file."
      : news.welcome
        ? "It is not in the street file; this service takes it all the same while it is tried out. To keep it, add:"
        : "It is not in the street file, and would be refused. Add it, with your own values, and start the service again:";
}

function show(news) {
  showName(news);
  at("locked").hidden = news.may_act || !news.configured;
  at("make-key").disabled = !news.may_act || !news.configured;
  at("address").textContent = news.valid ? news.address : "–";
  const open = news.checks.findIndex((check) => !check.done);
  at("checks").replaceChildren(
    ...news.checks.map((check, index) => {
      const item = element("li");
      item.dataset.done = String(check.done);
      item.append(element("strong", "", `${check.done ? "✓" : index === open ? "…" : "·"} ${check.name}`));
      if (index === open) item.append(element("span", "muted", ` ${check.hint}`));
      return item;
    }),
  );
  at("done").hidden = open >= 0;
  at("station-link").href = `/stations/${encodeURIComponent(name)}`;
}

async function look() {
  if (!name) return;
  const response = await fetch(`/control/connect/${encodeURIComponent(name)}`);
  if (response.ok) show(await response.json());
}

at("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  name = at("name").value.trim();
  at("key").textContent = "";
  look();
});

at("make-key").addEventListener("click", async () => {
  const response = await fetch(`/control/connect/${encodeURIComponent(name)}/key`, { method: "POST" });
  const said = await response.json();
  at("key").textContent = said.key ?? said.detail;
});

setInterval(look, AGAIN_MS);
