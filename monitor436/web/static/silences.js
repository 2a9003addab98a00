// Silences that are in force, who set them and until when; and what operators have acknowledged.

import * as api from "./api.js";
import { fill, h, rows, say } from "./dom.js";
import { fresh, listen } from "./live.js";
import { form } from "./quiet.js";
import { clock, span } from "./words.js";

const KINDS = "silence_added,silence_removed,acknowledged,host_up,check_state,check_failed";

export function view(context) {
  const body = h("tbody");
  const known = h("tbody");
  const none = h("p.empty", { hidden: true }, "Every alarm is told: nothing is silenced.");
  const nobody = h("p.empty", { hidden: true }, "Nothing that is bad has been acknowledged.");
  const trouble = h("p.notice.critical", { hidden: true, role: "alert" });
  const sheet = h("div");
  const head = (titles) => h("thead", h("tr", titles.map((title) => h("th", { scope: "col" }, title || h("span.hidden", "Acts")))));
  const table = h("table.stack", h("caption.hidden", "Silences"), head(["Host", "Check", "Reason", "By", "Ends", ""]), body);
  const acked = h("table.stack", h("caption.hidden", "Acknowledged"), head(["Host", "Check", "Note", "State"]), known);
  fill(context.main, h("div.view",
    h("div", h("h1", { tabindex: "-1" }, "Silences"), h("p.lead", "A silence stops alarms until it ends. Checks go on, and every recovery is told.")),
    trouble, context.admin ? sheet : h("p.dim", "To set one, sign in with monitor436 dashboard --admin."),
    h("section", { "aria-labelledby": "silences-title" }, h("div.title", h("h2", { id: "silences-title" }, "In force")), h("div.wide", table), none),
    h("section", { "aria-labelledby": "acked-title" }, h("div.title", h("h2", { id: "acked-title" }, "Acknowledged")), h("div.wide", acked), nobody)));

  const blank = () => fill(sheet, form("silence", { host: context.query.host ?? "" }, (done) => {
    if (done) { say(done); again.now(); }
    blank();
  }, false));
  const remove = async (each) => {
    let wrong = "";
    try {
      await api.removeSilence(each.id);
      say(`The silence of ${each.host} is over`);
    } catch (problem) {
      wrong = `That did not work: ${problem.message}.`;
    }
    await again.now(); // a page that can be read takes away what stands there
    if (wrong && !context.gone) {
      trouble.hidden = false;
      fill(trouble, wrong);
    }
  };
  const again = fresh(async () => {
    try {
      const told = await api.silences();
      if (context.gone) return;
      trouble.hidden = true;
      table.hidden = told.silences.length === 0;
      none.hidden = !table.hidden;
      acked.hidden = told.acknowledged.length === 0;
      nobody.hidden = !acked.hidden;
      rows(body, told.silences, (each) => each.id, (each) => h("tr",
        h("th", { scope: "row" }, each.host || "all"), h("td", each.check || "all"), h("td.text", each.text), h("td", each.by),
        h("td", `${clock(each.until * 1000)} `, h("span.dim", `in ${span(each.until - Date.now() / 1000)}`)),
        h("td", context.admin ? h("button", { type: "button", "aria-label": `End the silence of ${each.host || "all"}`, click: () => remove(each) }, "End") : "")));
      rows(known, told.acknowledged, (each) => `${each.host}/${each.check}`, (each) => h("tr",
        h("td.name", h("a.host", { href: `#/host/${encodeURIComponent(each.host)}` }, each.host)), h("td", each.check || "the host itself"), h("td.text", each.note),
        h("td", h(`span.state.${each.severity}`, each.severity))));
    } catch (problem) {
      if (context.gone) return;
      trouble.hidden = false;
      fill(trouble, `The silences cannot be read: ${problem.message}.`);
    }
  });
  if (context.admin) blank();
  again.now();
  const timer = setInterval(again, 30000);
  const end = listen({ kind: KINDS }, { event: again, gap: again, state: context.linked, refused: again.now });
  return () => { end(); clearInterval(timer); again.cancel(); };
}
