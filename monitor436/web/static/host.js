// One host: how it is and why, its checks, what it measures, its plan and where each rule is written, its events.

import * as api from "./api.js";
import { chart, ready } from "./chart.js";
import { fill, h, rows, say } from "./dom.js";
import { line } from "./lines.js";
import { fresh, listen } from "./live.js";
import { form } from "./quiet.js";
import { clock, count, number, span, value } from "./words.js";

const MOST_EVENTS = 50;
const MOST_CHARTS = 24; // more, when asked for
const CHECKED = { critical: 0, warning: 1, ok: 2, "": 3 };

export function view(context) {
  const name = context.of;
  const state = h("span.state");
  const title = h("h1", { tabindex: "-1" }, name);
  const lead = h("p.lead");
  const why = h("ul.why");
  const facts = h("dl.facts");
  const checks = h("tbody");
  const noChecks = h("p.empty", { hidden: true }, "Nothing was told of a check of this host.");
  const checkTable = h("table.stack", h("caption.hidden", "Checks"), h("thead", h("tr",
    ["State", "Check", "Last told", "Value", "Written in", ""].map((text, at) => h("th", { scope: "col", class: ["", "", "", "n", "less"][at] }, text || h("span.hidden", "Acts"))))), checks);
  const events = h("ol.events.host-events", { "aria-label": "Events of this host, the newest first" });
  const trouble = h("p.notice.critical", { hidden: true, role: "alert" });
  const acts = h("div.acts");
  const sheet = h("div", { hidden: true });
  const charts = h("div.charts");
  const metric = h("input", { type: "search", id: "search", placeholder: "Metric", "aria-label": "Filter metrics", maxlength: 100 });
  const metricCount = h("span.dim");
  const more = h("button", { type: "button", hidden: true }, "Show all");
  const spans = [["minutes", "Hour"], ["hours", "Day"]].map(([kind, text]) =>
    h("button", { type: "button", data: { kind }, "aria-pressed": String(kind === "minutes"), click: () => choose(kind) }, text));
  const metrics = h("section", { "aria-labelledby": "metrics-title", hidden: true },
    h("div.title", h("h2", { id: "metrics-title" }, "Metrics"), metricCount),
    h("div.filter", h("div.seg", { role: "group", "aria-label": "Over" }, spans), metric), h("br"), charts, h("div.pages", more));
  const rules = h("div");
  const datagrams = h("tbody");
  const came = h("table.snug", h("caption.hidden", "Last datagrams"), h("thead", h("tr",
    ["Type", "Ago", "Bytes", "From"].map((text, at) => h(at === 1 || at === 2 ? "th.n" : "th", { scope: "col" }, text)))), datagrams);
  const silent = h("p.empty", { hidden: true }, "None since this server started.");
  fill(context.main, h("div.view",
    h("div.head", h("div", h("p", state), title, lead), acts), trouble, sheet, why, facts,
    h("section", { "aria-labelledby": "checks-title" }, h("div.title", h("h2", { id: "checks-title" }, "Checks")), h("div.wide", checkTable), noChecks),
    metrics,
    h("div.two",
      h("section", { "aria-labelledby": "events-title" }, h("div.title", h("h2", { id: "events-title" }, "Events"),
        h("a", { href: `#/events?host=${encodeURIComponent(name)}` }, "all")), events),
      h("div.column",
        h("section", { "aria-labelledby": "plan-title" }, h("div.title", h("h2", { id: "plan-title" }, "Plan")), rules),
        h("section", { "aria-labelledby": "datagrams-title" }, h("div.title", h("h2", { id: "datagrams-title" }, "Last datagrams"), h("span.dim", "proven to be its own")),
          h("div.wide", came), silent)))));

  function act(kind, check = "") {
    sheet.hidden = false;
    fill(sheet, form(kind, { host: name, check }, (done) => {
      sheet.hidden = true;
      if (done) { say(done); again.now(); }
      acts.querySelector("button")?.focus();
    }));
    sheet.querySelector("input, textarea")?.focus();
  }
  if (context.admin) {
    fill(acts, h("button", { type: "button", click: () => act("acknowledge") }, "Acknowledge"), h("button", { type: "button", click: () => act("silence") }, "Silence"));
  }

  let planned = null;
  let spoken = "";
  function draw(told) {
    const kind = told.state !== "up" ? told.state : (told.severity ?? "info") === "info" ? "up" : told.severity;
    state.className = `state ${kind}`;
    fill(state, h(`i.pip.${kind}`, { "aria-hidden": "true" }), told.state === "unknown" ? "never heard" : told.state, kind === "warning" || kind === "critical" ? `, ${kind}` : "",
      told.flapping ? ", flapping" : "", told.silenced ? ", silenced" : "");
    fill(lead, told.lasted === undefined ? "" : `for ${span(told.lasted)}`, told.reason ? `: ${told.reason}` : "",
      told.heard === false ? "" : `. Last heard ${told.age < 60 ? "just now" : `${span(told.age)} ago`}${told.address ? ` at ${told.address}` : ""}.`);
    fill(why, (told.why ?? []).map((sentence) => h(`li.notice.${["down", "critical"].includes(kind) ? "critical" : "warning"}`, sentence)));
    const about = [["Groups", (told.groups ?? []).join(", ")], ["Machine up", told.up ? span(told.up) : ""], ["Agent", told.version], ["Boot", told.boot], ["Spool", told.fill ? `${number(Math.ceil(told.fill / 1024))} KiB` : "empty"],
      ["Plan", followed(told.plan)], ["Acknowledged", told.acked], ["Silenced", told.silence]];
    fill(facts, about.filter(([, text]) => text).map(([label, text]) => h("div", h("dt", label), h("dd", text))));
    fill(datagrams, (told.datagrams ?? []).map((each) => h("tr", h("th", { scope: "row" }, each.type), h("td.n", ago(each.age)),
      h("td.n", number(each.bytes)), h("td.mono.dim", each.address))));
    [came.hidden, silent.hidden] = [!datagrams.children.length, datagrams.children.length > 0];
    const now = `${name} is ${told.state}`;
    if (spoken && spoken !== now) say(now);
    spoken = now;
    const found = new Map((told.checks ?? []).map((each) => [each.name, each]));
    for (const each of planned?.checks ?? []) if (!found.has(each.name)) found.set(each.name, { name: each.name, state: "", text: "" });
    const origin = new Map((planned?.checks ?? []).map((each) => [each.name, each]));
    const list = [...found.values()].map((each) => ({ ...each, file: origin.get(each.name)?.file, line: origin.get(each.name)?.line }))
      .sort((a, b) => (CHECKED[a.state] ?? 3) - (CHECKED[b.state] ?? 3) || a.name.localeCompare(b.name));
    noChecks.hidden = list.length > 0;
    checkTable.hidden = list.length === 0;
    rows(checks, list, (each) => each.name, checkRow);
  }

  const ago = (seconds) => (seconds < 120 ? `${seconds.toFixed(1)} s` : span(seconds));

  /** The plan that it follows, and the one of the files where that is another. */
  function followed(plan) {
    const short = (digest) => digest.slice(0, 12);
    const differs = plan && planned && planned.digest && planned.digest !== plan;
    return (plan ? short(plan) : "none") + (differs ? `; the files say ${short(planned.digest)}` : "");
  }

  function checkRow(each) {
    const state = each.state || "unknown";
    const bad = state === "warning" || state === "critical";
    return h("tr", h("td", h(`span.state.${state}`, h(`i.pip.${state === "ok" ? "up" : state}`, { "aria-hidden": "true" }), state === "unknown" ? "nothing told" : state)),
      h("th", { scope: "row" }, each.name, each.silenced ? h("span.tag", "silenced") : null, each.acked ? [h("span.tag", "acknowledged"), h("div.dim.note", each.acked)] : null),
      h("td.text", each.text, each.since ? h("span.dim", ` · since ${clock(each.since * 1000)}`) : null),
      h("td.n", measured(each)),
      h("td.less.dim.mono", each.file ? `${each.file}:${each.line}` : ""),
      h("td", bad && context.admin ? h("button.quiet", { type: "button", "aria-label": `Acknowledge ${each.name}`, click: () => act("acknowledge", each.name) }, "Acknowledge") : ""));
  }

  function measured(each) {
    if (typeof each.value === "number") return value(each.value);
    const all = Object.entries(each.values ?? {});
    return all.slice(0, 3).map(([label, one]) => h("div", h("span.dim", `${label} `), value(one))).concat(all.length > 3 ? h("div.dim", `and ${all.length - 3} more`) : []);
  }

  function drawPlan(told) {
    planned = told;
    fill(rules, told.checks.length === 0 ? h("p.empty", "No rule is written for this host.")
      : h("div.wide", { tabindex: "0", role: "region", "aria-label": "Rules of the plan" }, h("table", h("caption.hidden", "Rules"), h("thead", h("tr", h("th", { scope: "col" }, "Rule"), h("th", { scope: "col" }, "Written in"))),
        h("tbody", told.checks.map((each) => h("tr", h("td", h("b", each.name), h("div.rule", each.rule)), h("td.dim.mono", `${each.file}:${each.line}`)))))));
  }

  let kind = "minutes";
  let all = false;
  let series = [];
  const drawn = new Map();
  function choose(wanted) {
    kind = wanted;
    for (const each of spans) each.setAttribute("aria-pressed", String(each.dataset.kind === kind));
    for (const each of drawn.values()) each.end();
    drawn.clear();
    charts.replaceChildren();
    drawCharts();
  }
  function drawCharts() {
    const text = metric.value.trim().toLowerCase();
    const found = series.filter((each) => each.label.toLowerCase().includes(text));
    const shown = all ? found : found.slice(0, MOST_CHARTS);
    fill(metricCount, count(found.length, "series", "series"));
    more.hidden = shown.length === found.length;
    const wanted = new Set(shown.map((each) => each.label));
    for (const [label, each] of drawn) if (!wanted.has(label)) { each.end(); each.element.remove(); drawn.delete(label); }
    for (const each of shown) {
      const windows = each[kind].map(([start, much, sum, min, max, last]) => ({ start, count: much, sum, min, max, last }));
      if (drawn.has(each.label)) drawn.get(each.label).follow(windows);
      else {
        const made = chart(each.label, windows, kind === "minutes" ? 60 : 3600);
        drawn.set(each.label, made);
        charts.append(made.element);
      }
    }
  }
  async function readMetrics() {
    const told = await api.metrics(name);
    if (context.gone) return;
    series = told.series;
    metrics.hidden = series.length === 0;
    if (series.length) { await ready(); if (!context.gone) drawCharts(); }
  }
  metric.addEventListener("input", drawCharts);
  more.addEventListener("click", () => { all = true; drawCharts(); });

  /** The silence that it is under, in words. */
  function silence(told, quiet) {
    const found = (quiet?.silences ?? []).find((each) => each.id === told.silenced);
    return found ? `until ${clock(found.until * 1000)} by ${found.by}: ${found.text}` : told.silenced;
  }

  const again = fresh(async () => {
    try {
      const [told, list, quiet] = await Promise.all([api.host(name), api.checks(name), api.silences(name).catch(() => null)]);
      if (context.gone) return;
      trouble.hidden = true;
      draw({ ...told, checks: list.checks, silence: silence(told, quiet) });
    } catch (problem) {
      if (context.gone) return;
      trouble.hidden = false;
      fill(trouble, problem.status === 404 ? "No such host is known here." : `It cannot be read: ${problem.message}.`);
    }
  });
  const readPlan = () => api.plan(name).then((told) => { if (!context.gone) { drawPlan(told); again.now(); } }, () => fill(rules, h("p.empty", "The plan cannot be read.")));
  let recent = [];
  const drawEvents = fresh(async () => rows(events, recent, (each) => each.id ?? each.time, line), 100);
  let arrived = new Set(); // ids of those that came since the page was asked for
  const readEvents = () => {
    const mine = arrived = new Set();
    return api.events({ host: name, from: "end", most: MOST_EVENTS }).then((page) => {
      if (context.gone || mine !== arrived) return;
      const had = new Set(page.events.map((each) => each.id));
      recent = [...recent.filter((each) => arrived.has(each.id) && !had.has(each.id)), ...page.events.reverse()].slice(0, MOST_EVENTS);
      drawEvents.now();
      if (!recent.length) fill(events, h("li.empty", "None yet."));
    }, () => {});
  };
  again.now();
  readPlan();
  readEvents();
  readMetrics().catch(() => {});
  const end = listen({ host: name }, {
    event: (event) => {
      again();
      if (recent.some((each) => each.id === event.id)) return;
      arrived.add(event.id);
      recent = [event, ...recent].slice(0, MOST_EVENTS);
      drawEvents();
      if (event.kind === "plan_in_force") readPlan();
    },
    gap: () => { again(); readEvents(); },
    state: context.linked,
    refused: again.now,
  });
  const ages = setInterval(again, 10000);
  const points = setInterval(() => readMetrics().catch(() => {}), 30000);
  return () => {
    end();
    clearInterval(ages);
    clearInterval(points);
    again.cancel();
    drawEvents.cancel();
    for (const each of drawn.values()) each.end();
  };
}
