// Light, dark, or as the system has it: read before the first paint, so that nothing flashes.
"use strict";
(() => {
  const ORDER = ["system", "light", "dark"];
  const KEY = "monitor436.theme";
  const root = document.documentElement;
  const kept = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const apply = (name) => {
    if (name === "light" || name === "dark") root.dataset.theme = name;
    else delete root.dataset.theme;
  };
  let now = ORDER.includes(kept()) ? kept() : "system";
  apply(now);
  window.theme = {
    get name() { return now; },
    next() {
      now = ORDER[(ORDER.indexOf(now) + 1) % ORDER.length];
      try { localStorage.setItem(KEY, now); } catch { /* private windows keep nothing */ }
      apply(now);
      dispatchEvent(new Event("theme"));
      return now;
    },
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("theme")));
})();
