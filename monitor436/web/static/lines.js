// Events as lines of a list.

import { h } from "./dom.js";
import { clock } from "./words.js";

/** One event. */
export function line(event) {
  const who = event.host || String(event.id ?? "").split("/")[0];
  const about = [event.kind, event.check].filter(Boolean).join(" ");
  const time = event.time ? clock(event.time) : "";
  return h(`li.event.${severity(event)}${time.includes(" ") ? ".dated" : ""}`,
    h("time", { datetime: event.time ?? "" }, time),
    h(`span.state.severity.${severity(event)}`, severity(event)),
    h("span.who", event.host ? h("a.host", { href: `#/host/${encodeURIComponent(event.host)}` }, who) : who),
    h("div.body", h("span.text", event.text ?? ""), " ", h("span.kind", about)));
}

function severity(event) {
  return ["warning", "critical"].includes(event.severity) ? event.severity : "info";
}
