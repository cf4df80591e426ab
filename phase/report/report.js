"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows];
      const numeric = rows.some((row) => row.cells[column].dataset.sort !== undefined);
      rows.sort((a, b) => {
        const x = a.cells[column], y = b.cells[column];
        if (!numeric) return (up ? 1 : -1) * x.textContent.localeCompare(y.textContent);
        const none = (x.dataset.sort === undefined) - (y.dataset.sort === undefined);
        return none || (up ? 1 : -1) * (x.dataset.sort - y.dataset.sort) || 0;
      });
      body.append(...rows);
    });
  });
}
for (const filter of document.querySelectorAll(".filter")) {
  const buttons = [...filter.querySelectorAll("button")];
  const rows = filter.parentElement.querySelectorAll("tr[data-group]");
  filter.hidden = false;
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", other === button);
      for (const row of rows) row.hidden = button.dataset.show !== "all" && row.dataset.group !== button.dataset.show;
    });
  }
}
const open = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const details = target && target.querySelector("details");
  if (details) details.open = true;
};
addEventListener("hashchange", open);
open();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
