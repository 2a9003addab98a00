// The two acts of an operator: silence alarms for some time, and say that one knows of a trouble.

import * as api from "./api.js";
import { fill, h } from "./dom.js";

const SPANS = [["1800", "30 minutes"], ["3600", "1 hour"], ["7200", "2 hours"], ["14400", "4 hours"], ["28800", "8 hours"], ["86400", "1 day"], ["604800", "1 week"]];

/** A form; `kind` is "silence" or "acknowledge", `about` {host, check}. `close(sentence)` is called at its end, with ""
 *  if it was left, which it can only be where there is something to go back to (`mayLeave`). */
export function form(kind, about, close, mayLeave = true) {
  const silence = kind === "silence";
  const wrong = h("p.notice.critical", { role: "alert", hidden: true });
  const host = h("input", { type: "text", name: "host", value: about.host ?? "", required: true, maxlength: 200, spellcheck: "false", placeholder: "web*" });
  const check = h("input", { type: "text", name: "check", value: about.check ?? "", maxlength: 200, placeholder: silence ? "all" : "all that is bad" });
  const how = h("select", { name: "seconds" }, SPANS.map(([seconds, text]) => h("option", { value: seconds, selected: seconds === "7200" }, text)));
  const text = h("input", { type: "text", name: "text", required: true, maxlength: 200, placeholder: silence ? "Why: disk is being changed" : "What you know: Ann is on it" });
  const leave = () => close("");
  const submit = async (event) => {
    event.preventDefault();
    try {
      if (silence) await api.addSilence({ host: host.value.trim(), check: check.value.trim(), seconds: Number(how.value), text: text.value.trim() });
      else await api.acknowledge({ host: host.value.trim(), check: check.value.trim(), text: text.value.trim() });
      close(silence ? `Silenced ${host.value.trim()}` : `Acknowledged ${host.value.trim()}`);
    } catch (problem) {
      wrong.hidden = false;
      fill(wrong, `That did not work: ${problem.message}.`);
    }
  };
  return h("form.sheet", { submit, keydown: (event) => { if (event.key === "Escape") leave(); }, "aria-label": silence ? "Silence" : "Acknowledge" },
    h("label", silence ? "Host, or a pattern" : "Host", host), h("label", silence ? "Check, or a pattern" : "Check", check), silence ? h("label", "For", how) : null,
    h("label.wide", silence ? "Reason" : "Note", text),
    h("div.acts", h("button.main", { type: "submit" }, silence ? "Silence" : "Acknowledge"), mayLeave ? h("button", { type: "button", click: leave }, "Cancel") : null), wrong);
}
