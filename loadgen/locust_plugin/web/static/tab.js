// The part of the tab "Variants" below Locust's table: current activity, links, every phase as it ends.
// Locust's elements are not modified: React cannot handle foreign children.
import { KEY, make, say } from "./dom.js";

const LOOK_MS = 300;
const ASK_MS = 2000;

const doing = make("p", { role: "status" });
const figures = make("p");
const share = make("progress", { max: 1, hidden: true });
share.setAttribute("aria-label", "Progress of the current activity");
const links = make("nav");
links.setAttribute("aria-label", "Files of this run");
const words = make("div");
const body = make("tbody");
const HEADS = ["Phase", "Variant", "Users", "Operation", "Operations/s", "", "p50 ms", "p99 ms", "Failures", "Empty", "Good/s"];
const head = make("tr");
for (const [number, text] of HEADS.entries()) {
  const cell = make(text ? "th" : "td", { textContent: text, className: number === 4 || number > 5 ? "number" : "" });
  if (text) cell.scope = "col";
  if (text === "Good/s") cell.className += " good";
  head.append(cell);
}
const table = make("table", {}, make("caption", { textContent: "In chronological order; bars show operations/s." }),
  make("thead", {}, head), body);
const scroll = make("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
scroll.setAttribute("aria-label", "Phases");
const panel = make("section", { id: "loadgen-panel", hidden: true }, doing, share, figures, words, links,
  make("h2", { textContent: "Phase by phase" }), scroll);
panel.setAttribute("aria-label", "Variants");
document.body.append(panel);
const TITLE = document.title;

function timeLeft(seconds) {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s left` : `${Math.floor(whole / 60)} min ${whole % 60} s left`;
}

function showNow(now, ran) {
  say(doing, now ? now.doing : ran ? "The run is over." : "No run has begun.");
  say(figures, now ? [now.figures, now.left === null ? "" : timeLeft(now.left)].filter(Boolean).join("; ") : "");
  share.hidden = !now || now.share === null;
  if (!share.hidden) share.value = now.share;
}

// Progress and time left, for a tab in the background; "The run is over" until another one begins.
function showTitle(now, ran) {
  const parts = now ? [now.doing.split(":")[0], now.left === null ? "" : timeLeft(now.left)].filter(Boolean) : ran ? ["run over"] : [];
  document.title = [parts.join(", "), TITLE].filter(Boolean).join(" - ");
}

function showLinks(files) {
  const wanted = [["report", "Report of this run"], ["record", "Run record (JSON)"]].filter(([name]) => files[name]);
  const names = wanted.map(([name]) => name).join();
  if (links.dataset.names === names) return; // a link that has the focus stays
  links.dataset.names = names;
  links.replaceChildren(...wanted.map(([name, text]) =>
    make("a", { href: `./${KEY}/${name}`, textContent: text, target: "_blank", rel: "noopener" })));
}

function showWords(lines) {
  if (words.dataset.lines === lines.join("\n")) return;
  words.dataset.lines = lines.join("\n");
  words.replaceChildren(...lines.map((line) => make("p", { textContent: line })));
}

const number = (value, digits) => value === null ? "-"
  : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const milliseconds = (seconds) => number(seconds === null ? null : seconds * 1000, 2);

function phaseRow(phase, highest) {
  const bar = make("span", { className: "bar" });
  bar.style.width = `${highest ? 100 * (phase.throughput ?? 0) / highest : 0}%`;
  const first = make("th", { textContent: phase.live ? `${phase.phase} (running)` : `${phase.phase}`, scope: "row" });
  const cell = (text, className = "number") => make("td", { textContent: text, className });
  return make("tr", { className: `look-${phase.look}${phase.live ? " live" : ""}` }, first, cell(phase.variant, "variant"),
    cell(phase.users, ""), cell(phase.operation, ""), cell(number(phase.throughput, 1)),
    make("td", { className: "bars" }, bar), cell(milliseconds(phase.p50)), cell(milliseconds(phase.p99)),
    cell(number(phase.failures, 0)), cell(number(phase.empty, 0)), cell(number(phase.goodput, 1), "number good"));
}

function show(state) {
  showNow(state.now, state.phases.length > 0);
  showLinks(state.files);
  showWords(state.words);
  const highest = Math.max(...state.phases.map((phase) => phase.throughput ?? 0), 0);
  table.classList.toggle("judged", state.phases.some((phase) => phase.goodput !== null));
  body.replaceChildren(...state.phases.map((phase) => phaseRow(phase, highest)));
}

let askedAt = -Infinity;

async function ask() {
  askedAt = performance.now();
  try {
    const answer = await fetch(`./${KEY}/data`, { headers: { Accept: "application/json" } });
    if (answer.ok && !answer.redirected) show(await answer.json());
  } catch {
    say(doing, "Locust does not answer.");
  }
}

async function askTitle() {
  try {
    const answer = await fetch(`./${KEY}/now`, { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) return;
    const data = await answer.json();
    showTitle(data.now, data.ran);
  } catch {
    document.title = `no answer - ${TITLE}`;
  }
}

setInterval(askTitle, ASK_MS);
askTitle();

// Locust keeps the selected tab in the URL, and shows its tabs once a run has begun.
setInterval(() => {
  const chosen = new URLSearchParams(location.search).get("tab") === KEY && document.querySelector('[role="tab"]') !== null;
  panel.hidden = !chosen;
  document.body.classList.toggle("loadgen-tab", chosen);
  if (chosen && !document.hidden && performance.now() - askedAt >= ASK_MS) ask();
}, LOOK_MS);
