// Events as they come: the newest on top, with the filter of the server; older ones page by page.

import * as api from "./api.js";
import { fill, gathered, h, put } from "./dom.js";
import { line } from "./lines.js";
import { listen } from "./live.js";
import { count } from "./words.js";

const MOST = 500; // lines that stay on the page
const PAGE = 100; // at first

export function view(context) {
  const query = context.query;
  const list = h("ol.events", { "aria-label": "Events, the newest first" });
  const note = h("p.dim", { role: "status" });
  const trouble = h("p.notice.critical", { hidden: true, role: "alert" });
  const search = h("input", { type: "search", id: "search", placeholder: "in host, check or text", value: query.text ?? "", maxlength: 200 });
  const host = h("input", { type: "text", value: query.host ?? "", placeholder: "web*", maxlength: 200, spellcheck: "false" });
  const severity = h("select", [["info", "all"], ["warning", "warning or worse"], ["critical", "critical"]].map(([name, title]) =>
    h("option", { value: name, selected: name === (query.severity ?? "info") }, title)));
  const kind = h("input", { type: "text", value: query.kind ?? "", placeholder: "host_down,log_line", maxlength: 200, spellcheck: "false" });
  const hold = h("button", { type: "button", "aria-pressed": "false" }, "Hold");
  const older = h("button", { type: "button", hidden: true }, `The last ${MOST}`);
  fill(context.main, h("div.view",
    h("div.head", h("div", h("h1", { tabindex: "-1" }, "Events"), h("p.lead", "Each stands in the events file before it is here.")), h("div.acts", hold)),
    trouble,
    h("div.filter", { role: "search" }, h("label.word", "Word", search), h("label", "Host", host), h("label", "Severity", severity), h("label", "Kind", kind)),
    h("section", { "aria-label": "List" }, note, list, h("div.pages", older))));

  let waiting = [];
  let held = false;
  let end = () => {};
  let turn = 0;
  const seen = new Set();
  const filter = () => ({ text: query.text, host: query.host, kind: query.kind, severity: query.severity === "info" ? "" : query.severity });

  const show = gathered(() => {
    if (held) { hold.textContent = `Go on (${count(waiting.length, "new event")})`; return; }
    const fresh = waiting.splice(0).slice(-MOST).filter((event) => !event.id || !seen.has(event.id));
    if (!fresh.length) return;
    for (const event of fresh) {
      const made = line(event);
      made.classList.add("fresh");
      made.dataset.id = event.id ?? "";
      seen.add(event.id);
      list.prepend(made);
    }
    while (list.children.length > MOST) { seen.delete(list.lastChild.dataset.id); list.lastChild.remove(); }
    note.textContent = "";
  }, 150);

  async function read(more = false) {
    const mine = ++turn;
    try {
      const page = await api.events({ ...filter(), from: "end", most: more ? MOST : PAGE });
      if (context.gone || mine !== turn) return;
      trouble.hidden = true;
      list.replaceChildren();
      seen.clear();
      waiting = [];
      for (const event of page.events.reverse()) {
        seen.add(event.id);
        const made = line(event);
        made.dataset.id = event.id ?? "";
        put(list, made);
      }
      older.hidden = more || page.events.length < PAGE;
      note.textContent = list.children.length ? "" : "No event is like that yet.";
    } catch (problem) {
      if (context.gone) return;
      trouble.hidden = false;
      fill(trouble, `The events cannot be read: ${problem.message}.`);
    }
  }

  function begin() {
    end();
    read();
    end = listen(filter(), {
      event: (event) => { waiting.push(event); if (waiting.length > MOST) waiting.splice(0, waiting.length - MOST); show(); },
      gap: () => { if (!held) read(); },
      state: context.linked,
    });
  }

  const change = (name, element) => {
    query[name] = element.value.trim();
    context.remember(query);
    begin();
  };
  let typing = 0;
  for (const [name, element] of [["text", search], ["host", host], ["kind", kind]]) {
    element.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => change(name, element), 300); });
  }
  severity.addEventListener("change", () => change("severity", severity));
  search.addEventListener("keydown", (event) => { if (event.key === "Escape" && search.value) { search.value = ""; change("text", search); } });
  hold.addEventListener("click", () => {
    held = !held;
    hold.setAttribute("aria-pressed", String(held));
    hold.textContent = held ? "Go on" : "Hold";
    if (!held) show();
  });
  older.addEventListener("click", () => read(true));
  begin();
  return () => { end(); show.cancel(); clearTimeout(typing); };
}
