// Numbers and times as people read them.

const NUMBER = new Intl.NumberFormat("en");
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export const number = (value) => NUMBER.format(value);

export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** Seconds, as "12 s", "5 min", "2 h 10 min". */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 1) return "now";
  const at = UNITS.findIndex(([size]) => whole >= size);
  const [size, unit] = UNITS[at];
  const [less, small] = UNITS[at + 1] ?? [0, ""];
  const rest = less ? Math.floor((whole % size) / less) : 0;
  const short = unit === "min" || !rest || whole >= 10 * size;
  return `${Math.floor(whole / size)} ${unit}${short ? "" : ` ${rest} ${small}`}`;
}

/** A value of a metric. */
export function value(given) {
  if (given === null || given === undefined || !Number.isFinite(given)) return "–";
  if (given !== 0 && (Math.abs(given) >= 1e9 || Math.abs(given) < 1e-3)) return given.toExponential(2);
  return NUMBER.format(Number(given.toPrecision(5)));
}

const pad = (part) => String(part).padStart(2, "0");

/** Time of day here; with the date if it was another day. */
export function clock(when) {
  const at = when instanceof Date ? when : new Date(when);
  if (Number.isNaN(at.getTime())) return "–";
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  const today = new Date().toDateString() === at.toDateString();
  return today ? time : `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${time}`;
}

export const percent = (part, of) => (of ? `${(Math.floor((part / of) * 1000) / 10).toFixed(1)} %` : "–");
