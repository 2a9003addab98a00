// The fleet: how many are how, every host as a cell, and the list, which the server filters, sorts and cuts into pages.

import * as api from "./api.js";
import { fill, h, rows, s, say } from "./dom.js";
import { fresh, listen } from "./live.js";
import { count, number, percent, span } from "./words.js";

const STATES = ["down", "late", "unknown", "stopped", "up"];
const SAID = { down: "down", late: "late", unknown: "never heard", stopped: "stopped", up: "up" };
const LETTERS = { u: "up", l: "late", d: "down", s: "stopped", n: "unknown", w: "warning", c: "critical" };
const KINDS = ["host_found", "host_late", "host_down", "host_up", "host_stopped", "host_rebooted", "host_flapping",
  "host_steady", "isolated", "isolation_over", "check_state", "check_failed", "check_stuck", "check_refused",
  "log_over", "log_silent", "plans_changed", "silence_added", "silence_removed", "acknowledged"];
const HELD = ["silenced", "acknowledged"];
const PAGE = 100;
const COLUMNS = [["", "severity", "State"], ["name", "name", "Host"], ["text", "", "Why"], ["n", "age", "Heard"],
  ["less", "address", "Address"], ["less", "group", "Group"]];

export function fleet(context) {
  const query = context.query;
  const said = h("h1", { tabindex: "-1" }, "Fleet");
  const lead = h("p.lead");
  const chips = h("div.chips", { role: "group", "aria-label": "Show only" });
  const holds = h("div.chips", { role: "group", "aria-label": "Show only those that nobody is told of" });
  const groups = h("div.groups");
  const groupSection = h("section", { "aria-labelledby": "groups-title", hidden: true },
    h("div.title", h("h2", { id: "groups-title" }, "Groups"), h("span.dim", "a cell for each host")), groups);
  const search = h("input", { type: "search", id: "search", placeholder: "Host, address or group", "aria-label": "Filter hosts",
    value: query.text ?? "", maxlength: 200 });
  const total = h("span.dim");
  const body = h("tbody");
  const head = h("tr");
  const empty = h("p.empty", { hidden: true });
  let shown = 0; // hosts before those of this page
  const before = h("button", { type: "button", click: () => go({ skip: Math.max(0, shown - PAGE) }) }, "← Before");
  const where = h("span");
  const next = h("button", { type: "button", click: () => go({ skip: shown + PAGE }) }, "Next →");
  const pages = h("nav.pages", { "aria-label": "Pages of the list", hidden: true }, before, where, next);
  const trouble = h("p.notice.critical", { hidden: true, role: "alert" });
  const table = h("table.stack", h("caption.hidden", "Hosts"), h("thead", head), body);
  fill(context.main, h("div.view",
    h("div", said, lead), trouble, chips, groupSection,
    h("section", { "aria-labelledby": "hosts-title" },
      h("div.title", h("h2", { id: "hosts-title" }, "Hosts"), total),
      h("div.filter", { role: "search" }, search, holds), h("div.wide", table), empty, pages)));

  const wanted = () => ({ text: query.text, state: query.state, severity: query.severity, group: query.group, held: query.held,
    sort: query.sort || "-severity", skip: Number(query.skip) || 0, most: PAGE });
  const go = (change) => {
    Object.assign(query, change);
    context.remember(query);
    drawHead();
    again.now();
  };

  function drawHead() {
    const sort = query.sort || "-severity";
    fill(head, COLUMNS.map(([kind, by, title]) => {
      const on = by && (sort === by || sort === `-${by}`);
      const order = on ? (sort.startsWith("-") ? "descending" : "ascending") : undefined;
      const next = sort === by ? `-${by}` : by;
      return h("th", { scope: "col", class: kind, "aria-sort": order },
        by ? h("button", { type: "button", click: () => go({ sort: next, skip: 0 }) }, title,
          h("span", { "aria-hidden": "true" }, on ? (order === "descending" ? " ↓" : " ↑") : "")) : title);
    }));
  }

  function drawOverview(told) {
    const all = STATES.reduce((sum, state) => sum + (told.hosts[state] ?? 0), 0);
    const up = told.hosts.up ?? 0;
    const bad = told.checks.critical;
    fill(said, all === 0 ? "No host has been heard yet" : up === all ? `All ${number(all)} hosts are up`
      : `${number(up)} of ${number(all)} hosts are up`);
    const rest = [];
    if (told.degraded) rest.push(`this server has a trouble of its own: ${told.degraded}`);
    rest.push(bad || told.checks.warning ? `${count(bad, "check")} critical, ${number(told.checks.warning)} warning`
      : "no check is bad");
    if (told.silenced) rest.push(`${count(told.silenced, "silence")} set`);
    fill(lead, `${percent(up, all)} at ${told.server}; ${rest.join("; ")}.`);
    context.mark(told.degraded || told.worse.critical ? "critical" : told.worse.warning ? "warning" : "ok");
    const chip = ({ kind, name, much, on, change }) => h(`button.chip${much ? "" : ".none"}`,
      { type: "button", "aria-pressed": String(on), click: () => go({ skip: 0, ...change }) },
      h(`i.pip.${kind}`, { "aria-hidden": "true" }), h("b", number(much)), h("span", name));
    const focused = document.activeElement?.closest?.(".chips [data-key]")?.dataset.key;
    const states = STATES.map((state) => ({ kind: state, name: SAID[state], much: told.hosts[state] ?? 0, on: query.state === state,
      change: { state: query.state === state ? "" : state, severity: "" } }));
    const levels = [["critical", "critical"], ["warning", "warning or worse"]].map(([level, text]) => ({ kind: level, name: text,
      much: told.worse[level], on: query.severity === level, change: { severity: query.severity === level ? "" : level, state: "" } }));
    const ways = HELD.map((way) => ({ kind: way, name: way, much: told.held?.[way] ?? 0, on: query.held === way,
      change: { held: query.held === way ? "" : way } }));
    rows(chips, [...states, ...levels], (each) => each.name, chip);
    rows(holds, ways.filter((each) => each.much || each.on), (each) => each.name, chip);
    for (const each of [...chips.children, ...holds.children]) each.classList.remove("fresh");
    if (focused) [...chips.children, ...holds.children].find((each) => each.dataset.key === focused)?.focus();
    drawGroups(told.groups);
  }

  function drawGroups(found) {
    const alone = found.length === 1;
    const much = found.reduce((sum, each) => sum + each.cells.length, 0);
    [CELL, GAP] = much > MANY ? [5, 1] : [8, 2];
    groupSection.hidden = found.length === 0;
    rows(groups, found.map((each) => ({ ...each, on: query.group === each.name })), (each) => each.name, (each) => {
      const up = each.hosts.up ?? 0;
      const all = each.cells.length;
      const about = STATES.filter((state) => each.hosts[state]).map((state) => `${each.hosts[state]} ${SAID[state]}`).join(", ");
      const open = async (event) => {
        if (!each.name && !alone) return;
        const place = cellAt(event);
        if (place < 0 || place >= all) return;
        const page = await api.hosts({ group: each.name, sort: "name", skip: place, most: 1 });
        if (page.hosts.length) context.go(`#/host/${encodeURIComponent(page.hosts[0].name)}`);
      };
      return h("div.group",
        each.name ? h("button", { type: "button", "aria-pressed": String(each.on), click: () => go({ group: each.on ? "" : each.name, skip: 0 }) }, each.name)
          : h("span.dim", alone ? "all hosts" : "in no group"),
        h("span.much", `${number(up)} / ${number(all)}`),
        h("div.cells-of", h("span.hidden", about), cells(each.cells, open)));
    });
    drawn = groups.clientWidth;
  }

  function drawHosts(page) {
    const last = Math.min(page.skip + PAGE, page.total);
    fill(total, page.total ? `${count(page.total, "host")}${query.group ? ` of ${query.group}` : ""}` : "");
    table.hidden = page.total === 0;
    empty.hidden = page.total !== 0;
    fill(empty, query.text || query.state || query.group || query.severity || query.held
      ? "No host is like that. Esc empties the search." : "Once an agent runs on a host, it appears here.");
    rows(body, page.hosts, (each) => each.name, hostRow);
    fill(where, `${number(page.skip + 1)}–${number(last)} of ${number(page.total)}`);
    [pages.hidden, before.disabled, next.disabled] = [page.total <= PAGE, page.skip === 0, last >= page.total];
    shown = page.skip;
  }

  let drawn = 0;
  let spoken = "";
  const again = fresh(async () => {
    try {
      const [told, page] = await Promise.all([api.overview(), api.hosts(wanted())]);
      if (context.gone) return;
      trouble.hidden = true;
      drawOverview(told);
      drawHosts(page);
      const now = said.textContent;
      if (spoken && spoken !== now) say(now);
      spoken = now;
      performance.mark("painted");
    } catch (problem) {
      if (context.gone) return;
      trouble.hidden = false;
      fill(trouble, `The fleet cannot be read: ${problem.message}.`);
    }
  });
  drawHead();
  again.now();
  let typing = 0;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => go({ text: search.value.trim(), skip: 0 }), 200);
  });
  const clear = () => { search.value = ""; go({ text: "", state: "", severity: "", group: "", held: "", skip: 0 }); };
  search.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
  const sized = new ResizeObserver(() => { if (Math.abs(groups.clientWidth - drawn) > 8 && drawn) { groups.replaceChildren(); again(); } });
  sized.observe(groups);
  const ages = setInterval(again, 10000);
  const end = listen({ kind: KINDS.join(",") }, { event: again, gap: again, state: context.linked, refused: again.now });
  return () => { end(); clearInterval(ages); clearTimeout(typing); again.cancel(); sized.disconnect(); };
}

/** One line of the list. */
function hostRow(each) {
  const kind = each.state !== "up" ? each.state : each.severity && each.severity !== "info" ? each.severity : "up";
  return h("tr",
    h("td", h(`span.state.${kind}`, h(`i.pip.${kind}`, { "aria-hidden": "true" }), kind === "unknown" ? "never heard" : kind)),
    h("td.name", h("a.host", { href: `#/host/${encodeURIComponent(each.name)}` }, each.name),
      each.silenced ? h("span.tag", "silenced") : null, each.acked ? h("span.tag", { title: each.acked }, "acknowledged") : null),
    h("td.text", each.text ?? ""),
    h("td.n.dim", each.state === "unknown" ? "" : each.age < 60 && each.state === "up" ? "now" : span(each.age)),
    h("td.less.dim.mono", each.address ?? ""),
    h("td.less.dim", each.group ?? ""));
}

const MANY = 1500; // hosts above which a cell is smaller
let CELL = 8;
let GAP = 2;

function across(width) { return Math.max(1, Math.floor((width + GAP) / (CELL + GAP))); }

/** Every host of a group as a square: one path for each state, so that thousands cost nothing. */
function cells(letters, open) {
  const width = Math.max(120, document.querySelector(".groups").clientWidth - (innerWidth > 736 ? 310 : 0));
  const per = across(width);
  const paths = {};
  for (let place = 0; place < letters.length; place += 1) {
    const x = (place % per) * (CELL + GAP);
    const y = Math.floor(place / per) * (CELL + GAP);
    const letter = letters[place];
    (paths[letter] ??= []).push(`M${x} ${y}h${CELL}v${CELL}h-${CELL}z`);
  }
  const high = Math.ceil(letters.length / per) * (CELL + GAP);
  const drawing = s("svg", { class: "cells", viewBox: `0 0 ${width} ${high}`, height: high, width, "aria-hidden": "true" },
    Object.entries(paths).map(([letter, parts]) => s("path", { class: `cell-${LETTERS[letter] ?? "unknown"}`, d: parts.join("") })));
  drawing.per = per;
  drawing.addEventListener("click", open);
  return drawing;
}

/** The place of the cell under the pointer, -1 for none. */
function cellAt(event) {
  const drawing = event.currentTarget;
  const box = drawing.getBoundingClientRect();
  const scale = drawing.viewBox.baseVal.width / box.width;
  const column = Math.floor(((event.clientX - box.left) * scale) / (CELL + GAP));
  const row = Math.floor(((event.clientY - box.top) * scale) / (CELL + GAP));
  return column < drawing.per ? row * drawing.per + column : -1;
}
