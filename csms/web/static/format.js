// Numbers and moments as people read them. The street's own time zone, whatever the viewer's is.

let timezone = "UTC";
const clocks = new Map();

export function setTimezone(name) {
  timezone = name;
  clocks.clear();
}

function formatter(key, options) {
  if (!clocks.has(key)) {
    clocks.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: timezone, hourCycle: "h23", ...options }));
  }
  return clocks.get(key);
}

export const clockTime = (ms) => formatter("time", { hour: "2-digit", minute: "2-digit" }).format(ms);

export const dayAndTime = (ms) =>
  formatter("day", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(ms);

export const number = (value, digits = 1) =>
  value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1");

export const percent = (fraction) => `${Math.round(fraction * 100)} %`;

// "lombok-transformer: Stedin evening signal" says who and why; on the page the reason is enough.
export const reason = (source) => (source ? source.slice(source.indexOf(": ") + 1).trim() : "");
