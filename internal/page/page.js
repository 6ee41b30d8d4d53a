"use strict";
// Sorting tables, and the panel with the runs behind a number. Nothing is
// computed here: numbers and texts come from the page.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("panel");
  const body = document.getElementById("panel-body");

  // Sorting: the first click puts high numbers or early letters first, the second
  // reverses them, the third restores the original order. Equal cells keep their order, and cells
  // without a number come last either way.
  function sort(th) {
    const table = th.closest("table");
    const column = th.cellIndex;
    const rows = [...table.tBodies[0].rows];
    rows.forEach((row, i) => { row.first ??= i; });
    const original = [...rows].sort((a, b) => a.first - b.first);
    const number = row => { const v = row.cells[column].dataset.sort; return v === undefined ? NaN : Number(v); };
    const numeric = rows.some(row => !Number.isNaN(number(row)));
    const cycle = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
    const next = cycle[cycle.indexOf(th.getAttribute("aria-sort")) + 1];
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    if (next) {
      th.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      original.sort((a, b) => {
        if (!numeric) return sign * a.cells[column].textContent.localeCompare(b.cells[column].textContent, "en", { numeric: true });
        const x = number(a), y = number(b);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return sign * (x - y);
      });
    }
    table.tBodies[0].append(...original);
  }

  // visible writes control characters, and those that hide or reorder text, as Go's
  // escape.Line does: the JSON has them as they are.
  function visible(text) {
    return text.replace(/(?![\uFE00-\uFE0F])[\p{C}\p{Zl}\p{Zp}\p{DI}]/gu, c =>
      [...Array(c.length).keys()].map(i => "\\u" + c.charCodeAt(i).toString(16).padStart(4, "0")).join(""));
  }

  // element makes an element with attributes and children (text or elements).
  function element(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attributes ?? {})) if (v !== undefined) e.setAttribute(k, visible(v));
    e.append(...children.map(c => typeof c === "string" ? visible(c) : c));
    return e;
  }

  const rules = { removed: "test, seen items removed", kept: "test, seen items kept", training: "training" };

  // value writes a run's number as the tables do.
  function value(rule, key, v) {
    if (v === undefined || v === null) return "–";
    if (rule !== "training" || key === "valid") return v.toFixed(6).replace(/^0/, "");
    return v.toLocaleString("en", { maximumFractionDigits: 1 });
  }

  // find turns SUITE.TABLE.ROW/RULE/KEY into the cell that shows it.
  function find(ref) {
    const [place, rule, key] = ref.split("/");
    const [suite, table, row] = place.split(".");
    const t = document.querySelector(`table[data-place="${suite}.${table}"][data-rule="${rule}"]`);
    const column = [...t.tHead.rows[0].cells].findIndex(th => th.dataset.key === key);
    return t.querySelector(`tbody tr[data-row="${row}"]`).cells[column];
  }

  // open shows the runs behind a cell of a table with runs.
  function open(cell) {
    const table = cell.closest("table");
    const th = table.tHead.rows[0].cells[cell.cellIndex];
    const key = th.dataset.key, rule = table.dataset.rule;
    const [s, t] = table.dataset.place.split(".").map(Number);
    const about = data.suites[s].tables[t];
    const row = about.rows[Number(cell.parentElement.dataset.row)];
    const runs = row.runs.map((id, i) => ({ id, ...data.runs[id], ...row.averaged?.[i] }));
    const name = th.textContent;

    body.replaceChildren(
      element("h2", { id: "panel-title" }, `${row.label} on ${about.dataset}: ${key ? name : "runs"}`),
      element("p", { class: "source" }, `suite ${data.suites[s].name}, ${rules[rule]}`),
    );
    if (key) {
      const shown = cell.cloneNode(true);
      shown.querySelectorAll("sup").forEach(x => x.remove());
      body.append(element("p", {}, element("b", { class: "shown" }, shown.textContent),
        row.imported ? " from imported lists" : runs.length > 1 ? ` over ${runs.length} seeds` : " from one run"));
    }

    const head = ["seed", ...(key ? [rule === "training" ? name : key] : []), "record", "training ended", "commit"];
    const list = element("table", {}, element("thead", {}, element("tr", {}, ...head.map(text => element("th", { scope: "col" }, text)))));
    const rows = list.appendChild(element("tbody"));
    for (const run of runs) {
      const commit = run.commit ? [element("code", { title: run.commit }, run.commit.slice(0, 8)), run.dirty ? " with uncommitted changes" : ""] : ["unknown"];
      rows.append(element("tr", { "data-run": run.id },
        element("td", {}, String(run.seed)),
        ...(key ? [element("td", {}, value(rule, key, run[rule]?.[key]))] : []),
        element("td", { class: "text" }, element("a", { href: `${data.results}runs/${encodeURIComponent(run.id)}.json` }, run.id)),
        element("td", { class: "text" }, run.stopped),
        element("td", { class: "text" }, ...commit)));
    }
    if (runs.length) body.append(element("div", { class: "box" }, list));

    const test = row[rule];
    const facts = element("dl");
    const fact = (name, ...what) => facts.append(element("dt", {}, name), element("dd", {}, ...what));
    if (test) {
      fact(`Test against ${about.baseline}`, `NDCG@10 ${test.difference}, 95 % interval ${test.interval}; Wilcoxon p = ${test.p}, after Holm ${test.p_holm}: `,
        element("b", {}, test.verdict));
    } else if (row.label === about.baseline) {
      fact("Test", "the other rows are tested against this one");
    }
    // What all runs have in common is shown once.
    for (const [name, of] of [
      ["Non-default settings", run => (run.settings ?? []).join(", ") || "none"],
      ["Machine", run => run.machine],
      ["Code", run => run.code],
    ]) {
      const by = new Map();
      for (const run of runs) by.set(of(run), [...(by.get(of(run)) ?? []), run.seed]);
      for (const [text, seeds] of by) fact(name + (by.size > 1 ? `, seed ${seeds.join(", ")}` : ""), text);
    }
    for (const from of row.imported ?? []) {
      fact(`Lists${row.imported.length > 1 ? `, seed ${from.seed}, seen items ${from.rule}` : ""}`,
        element("a", { href: `${data.results}imported/${encodeURIComponent(from.id)}.json` }, from.id),
        `: up to ${from.length} items, seen items ${from.rule}, seed ${from.seed}, from `, visible(from.file));
      fact("SHA-256 of the file", element("code", { class: "line" }, from.file_sha256));
    }
    if (runs.length) fact("SHA-256 of the results", ...runs.map(run => element("code", { class: "line" }, run.sha256)));
    if (runs.length) fact("Repeat the run", ...runs.map(run => element("code", { class: "line" }, `go run ./bench -verify ${run.id}`)),
      "If it was made by an older version of the code, check out its commit first.");
    body.append(facts);
    panel.showModal();
    body.focus({ preventScroll: true }); // not the attribute autofocus, which Chrome also looks at while the page loads
    panel.scrollTop = 0;
  }

  const grids = "table[role=grid]";

  document.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button?.dataset.ref) return open(find(button.dataset.ref));
    if (button && button.closest("thead")) return sort(button.closest("th"));
    const cell = event.target.closest(`${grids} tbody td, ${grids} tbody th`);
    if (cell) { focus(cell); return open(cell); }
    if (event.target === panel) panel.close(); // outside the panel
  });

  // A table is one stop of the Tab key; arrow keys move within it.
  function focus(cell) {
    for (const other of cell.closest("table").querySelectorAll("tbody [tabindex]")) other.removeAttribute("tabindex");
    cell.tabIndex = 0;
    cell.focus({ preventScroll: false });
  }
  for (const table of document.querySelectorAll(grids)) {
    const cell = table.tBodies[0].rows[0]?.cells[1];
    if (cell) cell.tabIndex = 0;
  }
  document.addEventListener("keydown", event => {
    const cell = event.target.closest?.(`${grids} tbody td, ${grids} tbody th`);
    if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
    const row = cell.parentElement;
    const to = {
      ArrowLeft: () => cell.previousElementSibling,
      ArrowRight: () => cell.nextElementSibling,
      ArrowUp: () => row.previousElementSibling?.cells[cell.cellIndex],
      ArrowDown: () => row.nextElementSibling?.cells[cell.cellIndex],
      Home: () => row.cells[0],
      End: () => row.cells[row.cells.length - 1],
    }[event.key];
    if (to) {
      const next = to();
      if (next) focus(next);
    } else if (event.key === "Enter" || event.key === " ") {
      open(cell);
    } else {
      return;
    }
    event.preventDefault();
  });
})();
