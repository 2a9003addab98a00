// What is asked of the server. Every answer is JSON; every refusal a problem of RFC 9457, thrown as `Refused`.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `status ${status}`);
    this.status = status;
  }
}

const signal = { out: () => {} };

/** Be called when the server says that nobody is signed in. */
export function whenSignedOut(what) { signal.out = what; }

async function ask(method, path, query = {}, body = undefined) {
  const given = Object.entries(query).filter(([, each]) => each !== "" && each !== undefined && each !== null);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Monitor436"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`api/${path}${search}`, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin",
    });
  } catch {
    throw new Refused(0, { detail: "the server cannot be reached" });
  }
  const text = await answer.text();
  let told = null;
  try { told = text ? JSON.parse(text) : null; } catch { told = { title: text.slice(0, 200) }; }
  if (answer.ok) return told;
  if (answer.status === 401 && path !== "session") signal.out();
  throw new Refused(answer.status, told ?? {});
}

const at = (name) => encodeURIComponent(name);

export const session = () => ask("GET", "session");
export const signIn = (shown) => ask("POST", "session", {}, shown);
export const signOut = () => ask("DELETE", "session");
export const overview = () => ask("GET", "overview");
export const hosts = (query) => ask("GET", "hosts", query);
export const host = (name) => ask("GET", `hosts/${at(name)}`);
export const plan = (name) => ask("GET", `hosts/${at(name)}/plan`);
export const metrics = (name) => ask("GET", `hosts/${at(name)}/metrics`);
export const events = (query) => ask("GET", "events", query);
export const checks = (name) => ask("GET", "checks", { host: name, most: 2000 });
export const polls = () => ask("GET", "polls");
export const poll = (name) => ask("GET", `polls/${at(name)}`, { most: 200 });
export const sweeps = () => ask("GET", "sweeps");
export const sweep = (name) => ask("GET", `sweeps/${at(name)}`, { most: 200 });
export const silences = (host) => ask("GET", "silences", { host });
export const addSilence = (silence) => ask("POST", "silences", {}, silence);
export const removeSilence = (id) => ask("DELETE", `silences/${at(id)}`);
export const acknowledge = (body) => ask("POST", "acknowledgements", {}, body);
