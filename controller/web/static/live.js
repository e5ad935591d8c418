// Keeps the page up to date: listens for what changed, and has each element that shows it fetch itself again.

import { heard, moment, now } from "./times.js";
import { signedOut } from "./problems.js";

const prefix = document.body.dataset.prefix;
const state = document.getElementById("live-state");
const REFRESH_EVERY = 15000; // also what no change in the database tells of: an agent's silence, readiness
const AT_MOST_EVERY = 1000;
const SILENT_FOR = 25000; // the server says something every 10 s

let stream = null;
let heardAt = 0;
let toldSince = now();
let over = false;
let again = 0;

function elements() {
  return document.querySelectorAll("[data-live]");
}

function topics() {
  const found = new Set();
  for (const element of elements()) for (const topic of element.dataset.live.split(/\s+/)) found.add(topic);
  return [...found].sort().join(" ");
}

function show(kind, words) {
  if (!state || (state.dataset.state === kind && kind !== "stale")) return;
  state.dataset.state = kind;
  const place = state.querySelector("[data-live-words]");
  if (place.textContent !== words) place.textContent = words;
}

function stale() {
  show("stale", `Not live since ${moment(toldSince)}`);
}

const refreshedAt = new WeakMap();
const waiting = new WeakSet();

function refresh(element) {
  const wait = (refreshedAt.get(element) || 0) + AT_MOST_EVERY - Date.now();
  if (wait <= 0) {
    refreshedAt.set(element, Date.now());
    window.htmx.trigger(element, "refresh");
  } else if (!waiting.has(element)) {
    waiting.add(element);
    setTimeout(() => {
      waiting.delete(element);
      if (element.isConnected) refresh(element);
    }, wait);
  }
}

function refreshAll() {
  elements().forEach(refresh);
}

function shows(element, changed) {
  return element.dataset.live.split(/\s+/).some(
    (topic) => changed.has(topic) || (topic.endsWith(":*") && [...changed].some((one) => one.startsWith(topic.slice(0, -1)))),
  );
}

function beat(event) {
  heardAt = Date.now();
  const said = JSON.parse(event.data);
  if (said.trouble) {
    if (said.since) toldSince = Date.parse(said.since);
    stale();
    return;
  }
  if (said.now) heard(said.now);
  const wasStale = state && state.dataset.state === "stale";
  toldSince = now();
  show("live", "Live");
  if (wasStale) refreshAll(); // whatever changed meanwhile was not told
}

function changed(event) {
  heardAt = Date.now();
  const news = new Set(event.data.split(" "));
  for (const element of elements()) if (shows(element, news)) refresh(element);
}

function open() {
  if (stream || over || document.hidden || elements().length === 0) return;
  const source = new EventSource(`${prefix}/live?topics=${encodeURIComponent(topics())}`);
  stream = source;
  heardAt = Date.now();
  source.addEventListener("beat", beat);
  source.addEventListener("changed", changed);
  source.addEventListener("signed-out", () => {
    over = true;
    close();
    stale();
    signedOut();
  });
  source.addEventListener("error", () => {
    stale();
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    close();
    clearTimeout(again);
    again = setTimeout(() => {
      open();
      refreshAll(); // an answer that is no stream says why: signed out, or no database
    }, 5000);
  });
}

function close() {
  if (stream) stream.close();
  stream = null;
}

// A hidden page lets go of its connection: browsers have few for each site, and a forgotten tab needs none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else {
    open();
    refreshAll();
  }
});
window.addEventListener("pagehide", close);
setInterval(() => {
  if (over || document.hidden || elements().length === 0) return;
  if (stream && Date.now() - heardAt > SILENT_FOR) {
    stale();
    close();
  }
  open();
}, 5000);
setInterval(() => {
  if (!document.hidden && !over) refreshAll();
}, REFRESH_EVERY);

// For those who listen: what an element says of itself, when that changed.
const announcer = document.getElementById("announcer");
const announced = new Map();
function announce() {
  for (const element of document.querySelectorAll("[data-announce]")) {
    const before = announced.get(element.id);
    announced.set(element.id, element.dataset.announce);
    if (before !== undefined && before !== element.dataset.announce) announcer.textContent = element.dataset.announce;
  }
}
announce();
document.addEventListener("htmx:afterSwap", announce);

// What a page fetches by itself keeps no session from ending as idle.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.matches("[data-live]")) event.detail.headers["X-Background"] = "1";
});

if (elements().length === 0) show("still", "Not a live page");
open();
