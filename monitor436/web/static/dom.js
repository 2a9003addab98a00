// Elements. Whatever comes from the server goes in as text: there is no HTML in any string of this page.

// Characters that a reader cannot see, or that turn the direction of what follows: spelt out, as in the events file.
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

/** Text that shows all it has. */
export function plain(text) {
  return String(text ?? "").replace(UNSAFE, (found) =>
    Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""));
}

/** An element: `h("a.name", {href: "#/"}, "text", child)`. Functions are listeners, true and false are presence. */
export function h(what, given, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  let own = given;
  if (own === null || own === undefined || typeof own !== "object" || own instanceof Node || Array.isArray(own)) {
    children.unshift(own);
    own = {};
  }
  for (const [name, value] of Object.entries(own)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "value") element.value = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : plain(value));
  }
  put(element, children);
  return element;
}

/** Append children: nodes, text, arrays of both; null and false are nothing. */
export function put(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : plain(child));
  }
  return element;
}

/** Replace what is in `element`. */
export function fill(element, ...children) {
  element.replaceChildren();
  return put(element, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, plain(value));
  return put(element, children);
}

let pressed = null; // what a pointer went down on, until it is released; :active lasts longer where fingers tap
addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
for (const name of ["pointerup", "pointercancel", "contextmenu"]) addEventListener(name, () => { pressed = null; }, true);

/** Make the rows of `body` those of `items`: what looks the same stays as it is, so that it keeps the focus. What is
 *  being pressed stays, too, until the next time, so that who presses a link of it also releases that one.
 *  `key(item)` tells which is which, `row(item)` draws one. New ones are marked with the class `fresh`. */
export function rows(body, items, key, row) {
  const before = new Map([...body.children].map((each) => [each.dataset.key, each]));
  const first = before.size === 0;
  const focused = document.activeElement?.closest?.("[data-key]")?.dataset.key;
  const wanted = items.map((item) => {
    const name = String(key(item));
    const seen = JSON.stringify(item);
    const old = before.get(name);
    if (old?.seen === seen) return old;
    const made = row(item);
    if (old?.drawn.isEqualNode(made)) return Object.assign(old, { seen });
    if (old?.contains(pressed)) return old;
    Object.assign(made, { seen, drawn: made.cloneNode(true) });
    made.dataset.key = name;
    if (!first) made.classList.add("fresh");
    return made;
  });
  const had = document.activeElement;
  const stay = new Set(wanted);
  for (const each of [...body.children]) if (!stay.has(each)) each.remove();
  let at = body.firstElementChild;
  for (const each of wanted) {
    if (each === at) at = at.nextElementSibling;
    else body.insertBefore(each, at);
  }
  if (focused !== undefined && had !== document.activeElement) {
    const same = wanted.find((each) => each.dataset.key === focused);
    (same?.querySelector("a, button") ?? null)?.focus({ preventScroll: true });
  }
}

/** Call `what` once, `wait` milliseconds after the first of several calls. */
export function gathered(what, wait) {
  let timer = 0;
  const call = () => {
    if (!timer) timer = setTimeout(() => { timer = 0; what(); }, wait);
  };
  call.cancel = () => { clearTimeout(timer); timer = 0; };
  return call;
}

/** Tell a screen reader, politely. */
export function say(text) {
  document.getElementById("said").textContent = plain(text);
}
