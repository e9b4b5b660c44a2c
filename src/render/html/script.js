"use strict";
(() => {
  const all = (root, what) => Array.from(root.querySelectorAll(what));

  // Sorting: the heads of a table become buttons.
  const value = (row, column, byNumber) => {
    const cell = row.cells[column];
    if (!byNumber) return cell.textContent.trim().toLowerCase();
    const key = cell.dataset.v;
    return key === undefined || key === "" ? NaN : Number(key);
  };
  const compare = (a, b, up) => {
    if (typeof a === "string") return up * a.localeCompare(b, "en");
    // What is not known stays at the end either way.
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return up * (a - b);
  };
  const sort = (table, head) => {
    const byNumber = head.dataset.by === "number";
    const was = head.getAttribute("aria-sort");
    // Numbers begin with the greatest, words with the first.
    const down = was ? was === "ascending" : byNumber;
    const column = head.cellIndex;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row, at) => ({ row, at, key: value(row, column, byNumber) }));
    rows.sort((a, b) => compare(a.key, b.key, down ? -1 : 1) || a.at - b.at);
    body.append(...rows.map((r) => r.row));
    all(table, "thead th").forEach((th) => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  all(document, "table[data-sortable]").forEach((table) => {
    all(table, "thead th").forEach((head) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head));
    });
  });

  // Finding fields: rows with all of the words.
  const find = document.querySelector(".find");
  if (find) {
    const input = find.querySelector("input");
    const told = find.querySelector("output");
    const none = document.querySelector(".none");
    const rows = Array.from(document.getElementById(find.dataset.for).tBodies[0].rows);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const number = (n) => n.toLocaleString("en");
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, at) => {
        const fits = words.every((word) => texts[at].includes(word));
        row.hidden = !fits;
        if (fits) shown += 1;
      });
      none.hidden = shown > 0;
      told.textContent = words.length
        ? `${number(shown)} of ${number(rows.length)}`
        : `${number(rows.length)} field${rows.length === 1 ? "" : "s"}`;
    };
    find.hidden = false;
    input.addEventListener("input", filter);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      if (input.value) {
        input.value = "";
        filter();
      } else input.blur();
    });
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.focus();
      input.select();
      find.scrollIntoView({ block: "start" });
    });
    filter();
  }

  // What an arrow of the picture carries.
  const details = document.getElementById("flow-details");
  if (details) {
    const invitation = details.textContent;
    details.hidden = false;
    const show = (arrow) => {
      details.textContent = arrow ? arrow.getAttribute("aria-label") : invitation;
      details.classList.toggle("on", Boolean(arrow));
    };
    all(document, ".scroll > .flow a").forEach((arrow) => {
      // The words below say it; a second copy that follows the pointer would be in the way.
      arrow.querySelector("title").remove();
      for (const event of ["mouseenter", "focus"]) arrow.addEventListener(event, () => show(arrow));
      for (const event of ["mouseleave", "blur"]) arrow.addEventListener(event, () => show(document.activeElement.closest(".flow a")));
    });
  }

  // A scenario that is led to opens; all are open on paper.
  const scenarios = all(document, "details.scenario");
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const closed = target && target.closest("details");
    if (closed && !closed.open) {
      closed.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", follow);
  follow();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = scenarios.filter((s) => !s.open);
    closed.forEach((s) => { s.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((s) => { s.open = false; }));
})();
