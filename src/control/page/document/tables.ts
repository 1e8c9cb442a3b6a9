/** Script part: tables. Values become text nodes, never HTML. */
export const TABLES = String.raw`
const NOTHING = "–";

function byId(id) { return document.getElementById(id); }

function setText(node, text) {
  // Unchanged nodes keep a reader's selection.
  if (node.textContent !== text) node.textContent = text;
}

function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
}

/** Gives a node so many children. */
function fit(node, count, make) {
  while (node.children.length > count) node.lastElementChild.remove();
  while (node.children.length < count) node.append(make());
}

/** A cell is a text, or [text, class]. */
function fill(id, rows) {
  const table = byId(id);
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  if (rows.length === 0) {
    fit(body, 1, () => document.createElement("tr"));
    const row = body.rows[0];
    fit(row, 1, () => document.createElement("td"));
    setAttributes(row.cells[0], { colspan: String(heads.length), class: "none" });
    setText(row.cells[0], "None");
    return;
  }
  if (body.querySelector(".none") !== null) body.replaceChildren();
  fit(body, rows.length, () => {
    const row = document.createElement("tr");
    heads.forEach((head, i) => {
      const cell = document.createElement(i === 0 ? "th" : "td");
      if (i === 0) cell.scope = "row";
      row.append(cell);
    });
    return row;
  });
  rows.forEach((row, r) => row.forEach((value, c) => {
    const [text, kind] = Array.isArray(value) ? value : [value, heads[c].className];
    const cell = body.rows[r].cells[c];
    setAttributes(cell, { class: kind });
    setText(cell, text);
  }));
}

/** Only what scrolls needs to be reached with the keyboard. */
function markScrolling() {
  for (const box of document.querySelectorAll(".scroll")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

function rate(value) {
  if (typeof value !== "number") return NOTHING;
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : String(Number(value.toFixed(2)));
}

function percent(ratio) {
  return typeof ratio === "number" ? (ratio * 100).toFixed(1) + " %" : NOTHING;
}

function milliseconds(ms) {
  if (typeof ms !== "number") return NOTHING;
  if (ms >= 1000) return Number((ms / 1000).toFixed(2)) + " s";
  return (ms >= 10 ? Math.round(ms) : Number(ms.toFixed(2))) + " ms";
}

function bytes(count) {
  return count < 2 ** 20 ? (count / 1024).toFixed(0) + " KiB" : (count / 2 ** 20).toFixed(1) + " MiB";
}

function count(value) { return value.toLocaleString("en"); }

function duration(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [[size, unit], lower] = units.slice(first, first + 2);
  const rest = lower === undefined ? 0 : Math.floor(seconds % size / lower[0]);
  return Math.floor(seconds / size) + " " + unit + (rest > 0 ? " " + rest + " " + lower[1] : "");
}
`;
