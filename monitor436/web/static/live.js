// The stream of events: one at a time, for the view that is open. The browser comes again by itself, where it was.

import { gathered } from "./dom.js";

/** Listen to events that pass `filter` (kind, host, severity, text). `on.event(event)` gets each; `on.gap(count)` is
 *  called when some were or may have been missed, as before each beginning of the stream, so that the view reads its
 *  page anew; `on.state(name)` with live, waits or off. */
export function listen(filter, on) {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  let source = null;
  let retry = 0;
  let closed = false;
  const open = () => {
    source = new EventSource(`api/live?${query}`);
    source.addEventListener("hello", () => {
      on.state("live");
      on.gap(0); // what came after the view read its page, and before the server had this stream, nobody would tell
    });
    source.addEventListener("event", (frame) => on.event(JSON.parse(frame.data)));
    source.addEventListener("missed", (frame) => on.gap(JSON.parse(frame.data).missed));
    source.addEventListener("error", () => {
      on.state("waits");
      if (source.readyState === EventSource.CLOSED && !closed) {
        clearTimeout(retry);
        retry = setTimeout(() => { on.refused?.(); open(); }, 3000);
      }
    });
  };
  open();
  return () => {
    closed = true;
    clearTimeout(retry);
    source.close();
    on.state("off");
  };
}

/** A view's page read anew when something happens, at most so often; `read` is async. */
export function fresh(read, wait = 250) {
  let busy = false;
  let again = false;
  const turn = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try { await read(); } finally {
      busy = false;
      if (again) { again = false; call(); }
    }
  };
  const call = gathered(turn, wait);
  call.now = turn;
  return call;
}
