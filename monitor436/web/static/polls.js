// Status polls and sweeps over ssh: the last rounds, the rate of each application and version, and who fails why.

import * as api from "./api.js";
import { fill, h, rows, s, say } from "./dom.js";
import { fresh, listen } from "./live.js";
import { clock, count, number, percent, span } from "./words.js";

const KINDS = "poll_failed,poll_recovered,poll_untrusted,poll_refused,sweep_failed,sweep_recovered,sweep_untrusted";
const HIGH = 56;

export function view(context) {
  const trouble = h("p.notice.critical", { hidden: true, role: "alert" });
  const none = h("p.empty", { hidden: true }, "No poll and no sweep is set. docs/polls.md and docs/uptime.md tell how.");
  const list = h("div.view");
  fill(context.main, h("div.view", h("div", h("h1", { tabindex: "-1" }, "Polls and sweeps"), h("p.lead", "Status pages, and hosts over ssh, that are asked again and again.")), trouble, none, list));
  const again = fresh(async () => {
    try {
      const [polls, sweeps] = [(await api.polls()).polls, (await api.sweeps()).sweeps];
      const told = await Promise.all([...polls.map((each) => api.poll(each.name)), ...sweeps.map((each) => api.sweep(each.name))]);
      if (context.gone) return;
      trouble.hidden = true;
      none.hidden = told.length > 0;
      rows(list, told, (each) => `${each.groups ? "poll" : "sweep"} ${each.name}`, (each) => (each.groups ? poll(each) : sweep(each)));
      for (const each of list.children) each.classList.remove("fresh");
    } catch (problem) {
      if (context.gone) return;
      trouble.hidden = false;
      fill(trouble, `The polls cannot be read: ${problem.message}.`);
    }
  });
  again.now();
  const timer = setInterval(again, 5000);
  const end = listen({ kind: KINDS }, { event: (event) => { say(event.text); again(); }, gap: again, state: context.linked, refused: again.now });
  return () => { end(); clearInterval(timer); again.cancel(); };
}

/** The head of a poll or sweep, its rounds as bars and as a table. */
function head(id, name, each, what) {
  const last = each.rounds[each.rounds.length - 1];
  const said = last ? `${number(last.well)} of ${count(last.targets, what)} well at ${clock(last.at * 1000)}, asked in ${last.seconds.toFixed(1)} s` : "no round yet";
  return [h("div.title", h("h2", { id }, name), h("span.dim", said)),
    last?.untrusted ? h("p.notice.warning", `This round is not trusted: ${last.untrusted}`) : null,
    each.rounds.length ? [bars(each.rounds), behind("Rounds", ["Began", "Well", "Targets", "Seconds", "Reasons"], [...each.rounds].reverse().map((round) =>
      [clock(round.at * 1000), number(round.well), number(round.targets), round.seconds.toFixed(2), Object.entries(round.reasons).map(([why, much]) => `${why} ${much}`).join(", ")]))] : null];
}

function sweep(each) {
  const id = `sweep-${each.name}`;
  return h("section", { "aria-labelledby": id }, head(id, `sweep ${each.name}`, each, "host"),
    each.shown.length ? h("div.wide", h("table.snug", h("caption.hidden", "Hosts"), h("thead", h("tr", ["Host", "Up for", "Answered", "Reason"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", each.shown.map((host) => h("tr", h("th", { scope: "row" }, host.host), h("td", host.seconds === null ? "" : span(host.seconds)),
        h("td.dim", host.time === null ? "" : clock(host.time * 1000)), h("td.critical", host.reason)))))) : null);
}

function poll(each) {
  const id = `poll-${each.name}`;
  const failing = each.shown.filter((target) => target.failing);
  return h("section", { "aria-labelledby": id },
    head(id, each.name, each, "target"),
    each.groups.length ? h("div.wide", h("table.snug", h("caption.hidden", "By application and version"),
      h("thead", h("tr", h("th", { scope: "col" }, "Application"), h("th", { scope: "col" }, "Version"), h("th.n", { scope: "col" }, "Well"), h("th.n", { scope: "col" }, "Targets"), h("th", { scope: "col" }, "Rate"))),
      h("tbody", each.groups.map((group) => h("tr", h("th", { scope: "row" }, group.application || "not told"), h("td", group.version), h("td.n", number(group.well)), h("td.n", number(group.targets)),
        h("td", h("span.state", h("meter", { min: 0, max: group.targets || 1, low: (group.targets || 1) * 0.99, optimum: group.targets || 1, value: String(group.well), "aria-label": `${group.application} ${group.version} well` }), percent(group.well, group.targets)))))))) : null,
    failing.length ? [h("h3.dim", count(failing.length, "target fails", "targets fail")), h("div.wide", h("table.snug", h("caption.hidden", "Failing"), h("thead", h("tr", ["Target", "Reason", "Since"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", failing.slice(0, 200).map((target) => h("tr", h("th", { scope: "row" }, target.name), h("td.critical", target.reason), h("td", target.since ? clock(target.since * 1000) : ""))))))] : null);
}

function bars(rounds) {
  const most = 100;
  const shown = rounds.slice(-most);
  return s("svg", { class: "rounds", viewBox: `0 0 ${most * 4} ${HIGH}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `The last ${shown.length} rounds, from ${percent(...worst(shown))} well to the newest; the table below has all` },
  shown.map((round, at) => {
    const rate = round.targets ? round.well / round.targets : 0;
    const high = Math.max(2, rate * HIGH);
    const kind = round.untrusted ? "doubt" : rate < 0.9 ? "worse" : "";
    return s("rect", { class: `round ${kind}`, x: at * 4, y: HIGH - high, width: 3, height: high });
  }));
}

function worst(rounds) {
  const found = rounds.reduce((least, each) => (each.well / (each.targets || 1) < least.well / (least.targets || 1) ? each : least));
  return [found.well, found.targets];
}

function behind(title, columns, lines) {
  const body = h("tbody");
  const details = h("details.chart", h("summary.dim", "Table"), h("div.wide", { tabindex: "0", role: "region", "aria-label": title }, h("table", h("caption.hidden", title),
    h("thead", h("tr", columns.map((text, at) => h(at && at < 4 ? "th.n" : "th", { scope: "col" }, text)))), body)));
  details.addEventListener("toggle", () => {
    if (details.open) fill(body, lines.map((cells) => h("tr", cells.map((cell, at) => h(at && at < 4 ? "td.n" : "td", cell)))));
  });
  return details;
}
