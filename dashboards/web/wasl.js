// Keeps the page live: panels are replaced as the feed brings them, and the page says so when the feed is silent.
// Without this script the page renews itself every 15 seconds and shows the same.

const body = document.body;
const root = document.documentElement;
const words = body.dataset;
const beatMs = Number(words.beat);
const STALE_BEATS = 3;
const RETRY_MS = 5000;
const FOCUSABLE = "[tabindex], a, button, summary";

const clock = document.getElementById("clock");
const liveWord = document.getElementById("live-word");
const beat = document.getElementById("beat");
const icon = document.getElementById("icon");
const pause = document.getElementById("pause");
const title = document.title;

let feed = null;
let heard = performance.now();
let paused = false;
let stale = false;

// Puts a panel's new content in. Where only ages moved, only their text is touched: a reader keeps his place and
// a screen reader stays silent.
function place(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  const old = fresh && document.getElementById(fresh.id);
  if (!old) return;
  if (old.dataset.key === fresh.dataset.key) {
    const ticks = fresh.querySelectorAll("[data-tick]");
    old.querySelectorAll("[data-tick]").forEach((tick, at) => {
      if (ticks[at] && tick.textContent !== ticks[at].textContent) tick.textContent = ticks[at].textContent;
    });
    return;
  }
  const scrolled = [...old.querySelectorAll(".scroll, pre")].map((box) => box.scrollLeft);
  const focused = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  // What the reader opened or folded stays so.
  const folded = new Map([...old.querySelectorAll("details[id]")].map((part) => [part.id, part.open]));
  fresh.querySelectorAll("details[id]").forEach((part) => { part.open = folded.get(part.id) ?? part.open; });
  old.replaceChildren(...fresh.childNodes);
  old.dataset.key = fresh.dataset.key;
  if (fresh.dataset.level) old.dataset.level = fresh.dataset.level;
  old.querySelectorAll(".scroll, pre").forEach((box, at) => { box.scrollLeft = scrolled[at] ?? 0; });
  if (focused >= 0) old.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
  head();
}

// The tab tells what the page tells.
function head() {
  const level = stale ? "stale" : document.querySelector("[data-panel][data-level]")?.dataset.level ?? "calm";
  const sign = { calm: "●", watch: "▲", act: "■", stale: "?" }[level];
  const name = stale ? `${words.stale} · ${title}` : title;
  document.title = `${sign} ${name}`;
  icon.href = icon.dataset[level];
}

function onBeat(event) {
  const told = JSON.parse(event.data);
  heard = performance.now();
  clock.textContent = told.clock;
  liveWord.textContent = words.asOf;
  root.classList.add("live");
  root.classList.remove("stale");
  beat.classList.remove("tick");
  requestAnimationFrame(() => beat.classList.add("tick"));
  if (stale) {
    stale = false;
    head();
  }
}

// Three beats missed: what is shown is kept, dimmed, and called old since the last time that was known.
function watch() {
  if (paused || document.hidden || stale || performance.now() - heard < STALE_BEATS * beatMs) return;
  stale = true;
  root.classList.add("stale");
  root.classList.remove("live");
  liveWord.textContent = words.staleSince;
  head();
}

function open() {
  close();
  feed = new EventSource(words.feed);
  feed.addEventListener("panel", (event) => place(event.data));
  feed.addEventListener("beat", onBeat);
  // A refusal (the session is over, too many streams) ends an EventSource for good: it is tried anew.
  feed.onerror = () => { if (feed?.readyState === EventSource.CLOSED) setTimeout(reopen, RETRY_MS); };
}

function close() {
  feed?.close();
  feed = null;
}

function reopen() {
  if (!paused && !document.hidden && feed?.readyState !== EventSource.OPEN) open();
}

// A hidden tab gives its connection back: a browser has six for each host.
document.addEventListener("visibilitychange", () => {
  heard = performance.now();
  if (document.hidden) close(); else reopen();
});

// The wall has nothing to click.
if (pause) pause.hidden = false;
pause?.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? words.paused + " · " + pause.dataset.resume : pause.dataset.pause;
  pause.setAttribute("aria-pressed", String(paused));
  root.classList.toggle("live", !paused);
  heard = performance.now();
  if (paused) close(); else open();
});

head();
open();
setInterval(watch, beatMs / 2);
