// Moments in the viewer's zone (UTC on hover), ages, and countdowns, by the server's clock: the viewer's may be wrong.

let ahead = 0; // milliseconds by which the viewer's clock is ahead of the server's

export function heard(serverNow) {
  const at = Date.parse(serverNow);
  if (!Number.isNaN(at)) ahead = Date.now() - at;
}

export function now() {
  return Date.now() - ahead;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

export function moment(at) {
  const date = new Date(at);
  const today = new Date(now());
  if (date.toDateString() === today.toDateString()) return CLOCK.format(date);
  const day = Math.abs(today - date) < 300 * 86400e3 ? DAY : FULL;
  return `${day.format(date)}, ${CLOCK.format(date)}`;
}

function span(milliseconds, brief) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  for (let n = 0; n < UNITS.length; n += 1) {
    const [size, unit] = UNITS[n];
    if (seconds < size) continue;
    const rest = seconds % size;
    const smaller = UNITS[n + 1];
    const tail = smaller && !brief && rest >= smaller[0] ? ` ${Math.floor(rest / smaller[0])} ${smaller[1]}` : "";
    return `${Math.floor(seconds / size)} ${unit}${tail}`;
  }
  return `${seconds} s`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function moments(root) {
  for (const element of root.querySelectorAll("time[data-time]")) write(element, moment(element.dateTime));
}

function clocks(root) {
  for (const element of root.querySelectorAll("text[data-clock]")) {
    const words = element.firstChild; // its <title> stays: UTC
    const text = CLOCK.format(new Date(element.dataset.clock));
    if (words && words.nodeValue !== text) words.nodeValue = text;
  }
}

function ages(root) {
  for (const element of root.querySelectorAll("time[data-age]")) {
    write(element, span(now() - Date.parse(element.dateTime), element.dataset.age === "brief"));
  }
}

function countdowns(root) {
  for (const element of root.querySelectorAll("time[data-countdown]")) {
    const left = Date.parse(element.dateTime) - now();
    write(element, left > 0 ? `in ${span(left)}` : "now");
  }
}

function all(root) {
  moments(root);
  clocks(root);
  ages(root);
  countdowns(root);
}

heard(document.body.dataset.now);
all(document);
document.addEventListener("htmx:afterSwap", (event) => all(event.detail.target.parentElement || document));
setInterval(() => countdowns(document), 1000);
setInterval(() => ages(document), 5000);
