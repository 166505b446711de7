// A page that is open stays true: the server sends the parts of it that have changed.
"use strict";

const main = document.getElementById("main");
const connection = document.getElementById("connection");
const news = document.getElementById("news");
const RETRY = 3000; // milliseconds

function put({ id, html, digest }) {
  const part = document.getElementById(id);
  if (!part || part.dataset.digest === digest) return;
  part.dataset.digest = digest;
  const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const before = part.querySelector("#tail");
  part.innerHTML = html; // made by the server's templates, which escape all that others wrote
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  ready(part);
  // A log that somebody has scrolled up to read stays where it is.
  if (before && !atEnd.has(before)) document.getElementById("tail")?.scrollTo(0, tops.get(before));
  if (focused) document.getElementById(focused)?.focus();
  if (part.id === "part-state") announce(part);
}

// Who cannot see the page hears of changes of the state, and not of each task.
function announce(part) {
  const word = part.querySelector(".mark").lastChild.textContent.trim();
  if (news.dataset.word && news.dataset.word !== word) news.textContent = word;
  news.dataset.word = word;
}

const atEnd = new WeakSet();
const tops = new WeakMap();

function ready(part) {
  for (const time of part.querySelectorAll("time")) tell(time);
  const tail = part.querySelector("#tail");
  if (!tail) return;
  tail.scrollTop = tail.scrollHeight;
  atEnd.add(tail);
  tail.addEventListener("scroll", () => {
    tops.set(tail, tail.scrollTop);
    if (tail.scrollTop + tail.clientHeight >= tail.scrollHeight - 8) atEnd.add(tail);
    else atEnd.delete(tail);
  });
}

function tell(time) {
  const at = new Date(time.dateTime);
  const seconds = Math.max(0, (Date.now() - at) / 1000);
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size) || [1, "s"];
  time.title = time.title || time.textContent;
  time.textContent = `${at.toLocaleString()} (${Math.floor(seconds / size)} ${unit} ago)`;
}

// A browser holds six connections to a server, for all its tabs: only what is seen listens.
let source;
let again;

function listen() {
  source?.close();
  clearTimeout(again);
  if (document.hidden || !main.dataset.live) return;
  source = new EventSource(main.dataset.live);
  source.addEventListener("open", () => say("Live: this page changes by itself."));
  source.addEventListener("part", (event) => put(JSON.parse(event.data)));
  source.addEventListener("gone", () => location.reload());
  source.addEventListener("error", () => {
    say("The server does not answer. This page goes on as soon as it does.");
    if (source.readyState === EventSource.CLOSED) again = setTimeout(listen, RETRY);
  });
}

function say(text) {
  if (connection.textContent !== text) connection.textContent = text;
}

ready(document);
if (document.getElementById("part-state")) announce(document.getElementById("part-state"));
setInterval(() => document.querySelectorAll("time").forEach(tell), 1000);
document.addEventListener("visibilitychange", listen);
listen();
