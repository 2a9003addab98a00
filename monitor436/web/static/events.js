// Events as they come: the newest on top, with the filter of the server; and back, page by page, to the oldest kept.

import * as api from "./api.js";
import { fill, gathered, h, say } from "./dom.js";
import { line } from "./lines.js";
import { listen } from "./live.js";
import { clock, count } from "./words.js";

const MOST = 500; // lines that stay on the page while they come
const PAGE = 100; // lines at first, and of a page of older ones
const GONE = "Those events are not kept any more. These are the newest.";
const LOOKS = 12; // times that the server looks at a piece of its files for one page, as far as the filter lets few pass

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
  const newest = h("button", { type: "button" }, "Newest");
  const newer = h("button", { type: "button", disabled: true, data: { turn: "newer" } }, "← Newer");
  const older = h("button", { type: "button", disabled: true, data: { turn: "older" } }, "Older →");
  const where = h("span");
  const pages = h("nav.pages.stuck", { "aria-label": "Pages of events", hidden: true }, newest, newer, where, older);
  const section = h("section.turned", { "aria-label": "List" }, pages, note, list);
  fill(context.main, h("div.view",
    h("div.head", h("div", h("h1", { tabindex: "-1" }, "Events"), h("p.lead", "Each stands in the events file before it is here.")), h("div.acts", hold)),
    trouble,
    h("div.filter", { role: "search" }, h("label.word", "Word", search), h("label", "Host", host), h("label", "Severity", severity), h("label", "Kind", kind)),
    section));

  let waiting = []; // came, and not shown yet
  let held = false;
  let end = () => {};
  let turn = 0; // answers to an earlier one are late
  let under = null; // what is being read: it replaces the list, so nothing is shown before
  let gone = false; // what was asked for last is not kept any more
  let missed = false; // some that are newer than the list are in the files alone
  let place = { older: "", cursor: "" }; // of what is shown: where to read back, and where on
  let cut = false; // lines left at the end of the list, so `place` is older than what is shown
  const seen = new Set();
  const filter = () => ({ text: query.text, host: query.host, kind: query.kind, severity: query.severity === "info" ? "" : query.severity });
  const still = () => held || Boolean(query.before);
  const anew = () => {
    if (still() || under) missed = true;
    else read(latest);
  };

  const show = gathered(() => {
    if (held) hold.textContent = `Go on (${count(waiting.length, "new event")})`;
    newest.textContent = query.before && waiting.length ? `Newest (${count(waiting.length, "new event")})` : "Newest";
    if (still() || under) return;
    const had = waiting.findLastIndex((event) => event.id && seen.has(event.id)); // those before it are older than the page
    const fresh = waiting.splice(0).slice(had + 1);
    if (!fresh.length) return;
    for (const event of fresh) list.prepend(drawn(event, true));
    while (list.children.length > MOST) { seen.delete(list.lastChild.dataset.id); list.lastChild.remove(); cut = true; }
    if (cut) pages.hidden = older.disabled = false;
    note.textContent = "";
  }, 150);

  function drawn(event, isFresh) {
    const made = line(event);
    if (isFresh) made.classList.add("fresh");
    made.dataset.id = event.id ?? "";
    seen.add(event.id);
    return made;
  }

  /** Up to PAGE events before a place, in as many looks as that takes; `late()` ends it. */
  async function back(from, looks, late, most = PAGE) {
    const found = { events: [], older: "", cursor: "", before: from.before ?? "" };
    for (let asked = from; looks > 0 && !late(); looks -= 1) {
      const page = await api.events({ ...filter(), ...asked, most: most - found.events.length });
      found.events.unshift(...page.events);
      found.cursor ||= page.cursor;
      found.older = page.older;
      if (!page.older || found.events.length >= most) break;
      asked = { before: page.older };
    }
    return found;
  }

  /** The newest ones; whatever came before this is among them. */
  function latest(late) {
    [waiting, missed] = [[], false];
    return back({ from: "end" }, 3, late);
  }

  /** Up to PAGE events behind a place; the newest ones if there are fewer. */
  async function on(from, late) {
    const found = { events: [], older: from, cursor: from };
    for (let looks = LOOKS; looks > 0 && !late(); looks -= 1) {
      const page = await api.events({ ...filter(), after: found.cursor, most: PAGE - found.events.length });
      found.events.push(...page.events);
      found.cursor = page.cursor;
      if (found.events.length >= PAGE) break;
      if (!page.more) return latest(late);
    }
    return { ...found, before: found.cursor };
  }

  /** Show what `look(late)` finds. */
  async function read(look) {
    const mine = ++turn;
    const late = () => context.gone || mine !== turn;
    under = look;
    section.setAttribute("aria-busy", "true");
    try {
      const found = await look(late);
      if (late()) return;
      trouble.hidden = !gone;
      if (gone) fill(trouble, GONE);
      draw(found);
    } catch (problem) {
      if (late()) return;
      gone = problem.status === 410 && Boolean(query.before);
      trouble.hidden = false;
      fill(trouble, gone ? GONE : `The events cannot be read: ${problem.message}.`);
      if (gone) read(latest);
    } finally {
      if (!late()) {
        section.removeAttribute("aria-busy");
        under = null;
        if (missed) anew();
        show();
      }
    }
  }

  function draw(found) {
    [place, cut, query.before] = [{ older: found.older, cursor: found.cursor }, false, found.before];
    seen.clear();
    list.replaceChildren(...found.events.reverse().map((event) => drawn(event, false)));
    const [last, first] = [found.events[0], found.events[found.events.length - 1]];
    const past = Boolean(query.before);
    where.textContent = past && first ? `${clock(first.time)} – ${clock(last.time)}` : "";
    note.textContent = first ? "" : found.older ? "No event is like that in what was looked at. Older looks further back."
      : past ? "No event before that is like that." : "No event is like that yet.";
    context.remember(query);
    const focused = document.activeElement;
    for (const each of [newest, newer]) each.hidden = !past;
    hold.disabled = past;
    newer.disabled = false; // before there is a page there is no place to turn from
    older.disabled = !found.older;
    pages.hidden = !past && !found.older;
    if (pages.contains(focused) && (focused.disabled || focused.hidden)) (past ? newer : older).focus();
  }

  function begin() {
    end();
    [waiting, gone] = [[], false];
    read(query.before ? (late) => back({ before: query.before }, LOOKS, late) : latest);
    end = listen(filter(), {
      event: (event) => { waiting.push(event); if (waiting.length > MOST) waiting.splice(0, waiting.length - MOST); show(); },
      gap: anew,
      state: context.linked,
      refused: () => { anew(); if (still()) api.events({ from: "end", most: 1 }).catch(() => {}); }, // who is signed out is told
    });
  }

  /** Turn to another page, and tell which it is. */
  async function turned(look) {
    gone = false;
    await read(look);
    section.scrollIntoView({ block: "start" });
    say(query.before ? `Older events, ${where.textContent}` : "The newest events");
  }
  older.addEventListener("click", () => turned(async (late) => {
    const from = cut ? (await back({ from: "end" }, 3, late, MOST)).older : place.older;
    return back({ before: from }, LOOKS, late);
  }));
  newer.addEventListener("click", () => turned((late) => on(place.cursor, late)));
  newest.addEventListener("click", () => turned(latest));

  const change = (name, element) => {
    query[name] = element.value.trim();
    query.before = "";
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
    if (held) return;
    if (missed) anew();
    show();
  });
  begin();
  return () => { end(); show.cancel(); clearTimeout(typing); };
}
