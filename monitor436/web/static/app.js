// The page: which view is open, who is signed in, keys. A view is a function of a context that gives how it ends.

import * as api from "./api.js";
import { fill, h, say } from "./dom.js";
import { fleet } from "./fleet.js";

const LATE = { host: "./host.js", events: "./events.js", polls: "./polls.js", silences: "./silences.js", signin: "./signin.js" };
const TITLES = { signin: "Sign in" };
const VIEWS = { "": { title: "Fleet", open: async () => fleet } };
for (const [name, file] of Object.entries(LATE)) {
  VIEWS[name] = { title: TITLES[name] ?? name[0].toUpperCase() + name.slice(1), open: async () => (await import(file)).view };
}

const main = document.getElementById("main");
const nav = document.getElementById("pages");
const link = document.getElementById("link");
const leave = document.getElementById("leave");
const linkText = document.getElementById("link-text");
const LINKS = { live: "live", waits: "reconnecting…", off: "" };

let end = () => {};
let context = null;
let who = null;

/** "#/host/web1?x=y" as its parts. */
function place() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  return { name: parts[0], of: parts.slice(1).join("/"), query: Object.fromEntries(new URLSearchParams(search)) };
}

function linked(state) {
  link.dataset.state = state;
  linkText.textContent = LINKS[state];
}

async function open(focus = true) {
  const { name, of, query } = place();
  const signed = who !== null && who.scopes.length > 0;
  const wanted = name === "link" || !signed ? "signin" : Object.hasOwn(VIEWS, name) ? name : "";
  const view = VIEWS[wanted];
  if (context) context.gone = true;
  end();
  end = () => {};
  linked("off");
  nav.hidden = wanted === "signin";
  leave.hidden = !signed || wanted === "signin";
  leave.textContent = signed && who.via === "cookie" ? "Sign out" : "Sign in";
  for (const each of nav.querySelectorAll("a")) {
    const its = each.getAttribute("href").replace(/^#\/?/, "");
    if (its === wanted || (its === "" && wanted === "host")) each.setAttribute("aria-current", its === wanted ? "page" : "true");
    else each.removeAttribute("aria-current");
  }
  const mine = {
    main, of, query, who, linked, gone: false, once: name === "link" ? of : "",
    go: (hash) => { location.hash = hash; },
    mark: (worst) => { document.querySelector(".mark-dot").dataset.worst = worst; },
    title: (text) => { document.title = `${text} · monitor436`; },
    remember: (kept) => {
      const search = new URLSearchParams(Object.entries(kept).filter(([, value]) => value)).toString();
      history.replaceState(null, "", `#/${[wanted, of].filter(Boolean).map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`);
    },
    signedIn: async () => { await meet(); history.replaceState(null, "", "#/"); open(); },
    admin: who !== null && who.scopes.includes("admin"),
  };
  context = mine;
  mine.title(wanted === "host" ? of : view.title);
  const begin = await view.open();
  if (mine.gone) return;
  main.replaceChildren();
  end = begin(mine) ?? (() => {});
  scrollTo(0, 0);
  if (focus) main.querySelector("h1")?.focus({ preventScroll: true });
}

async function meet() {
  try {
    who = await api.session();
  } catch (problem) {
    who = null;
    if (problem.status === 0) say("The server cannot be reached.");
  }
}

api.whenSignedOut(async () => {
  if (who === null || who.scopes.length === 0) return;
  await meet();
  open();
});

leave.addEventListener("click", async () => {
  if (who?.via !== "cookie") { location.hash = "#/signin"; return; }
  await api.signOut().catch(() => {});
  await meet();
  open();
});

// Keys: single letters only where nobody writes, and rows with the arrows.

const themed = document.getElementById("theme");
function tellTheme() {
  themed.textContent = { system: "◐", light: "○", dark: "●" }[window.theme.name];
  themed.setAttribute("aria-label", `Colours: ${window.theme.name}`);
  themed.title = themed.getAttribute("aria-label");
}
function turnTheme() {
  window.theme.next();
  tellTheme();
}
tellTheme();
themed.addEventListener("click", turnTheme);
const help = document.getElementById("help");
document.getElementById("keys").addEventListener("click", () => help.showModal());
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  (main.querySelector("h1") ?? main).focus();
});

const TURNS = { n: "newer", o: "older" };
const PLACES = { f: "#/", e: "#/events", p: "#/polls", s: "#/silences" };

function step(by) {
  const links = [...main.querySelectorAll("tbody tr a, .events a")].filter((each) => each.offsetParent !== null);
  if (!links.length) return false;
  const now = links.indexOf(document.activeElement);
  links[now < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(now + by, 0), links.length - 1)].focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  const writes = event.target.closest?.("input, textarea, select");
  if (writes && event.key === "ArrowDown" && writes.type === "search" && step(1)) event.preventDefault();
  if (writes) return;
  const search = document.getElementById("search");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (step(event.key === "ArrowDown" ? 1 : -1)) event.preventDefault();
  } else if (event.key in PLACES && !nav.hidden) {
    location.hash = PLACES[event.key];
  } else if (event.key in TURNS) {
    main.querySelector(`[data-turn=${TURNS[event.key]}]`)?.click();
  } else if (event.key === "t") {
    turnTheme();
  } else if (event.key === "?") {
    help.showModal();
  }
});

addEventListener("hashchange", () => open());
addEventListener("unhandledrejection", (event) => { if (event.reason?.status === undefined) console.error(event.reason); });
await meet();
await open(false);
