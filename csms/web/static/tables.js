// Small builders that pages share. Everything becomes a text node.

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function table(host, columns, rows, empty) {
  if (!rows.length) {
    host.replaceChildren(element("p", "muted small", empty));
    return;
  }
  const made = element("table", "plain");
  const head = made.createTHead().insertRow();
  for (const name of columns) {
    const cell = element("th", "", name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const cells of rows) {
    const line = body.insertRow();
    for (const text of cells) line.insertCell().textContent = text;
  }
  host.replaceChildren(made);
}
