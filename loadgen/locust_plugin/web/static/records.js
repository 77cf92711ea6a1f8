// The run records of the folder: open one, or compare two.
import { ask, isDark, KEY, make, say } from "./dom.js";

const LOOK_MS = 300;
const ASK_MS = 5000;
const HEADS = ["Compare", "Record", "Written", "MB", "Report"];
const FINDINGS = ["operation", "variant", "load", "figure", "OLD", "NEW", "NEW / OLD", "verdict"];

const body = make("tbody");
const note = make("p");
const state = make("p", { role: "status" });
const button = make("button", { type: "button", textContent: "Compare the two selected", disabled: true });
const result = make("div");
const boxOf = (name, ...children) => {
  const box = make("div", { className: "scroll", tabIndex: 0, role: "region" }, ...children);
  box.setAttribute("aria-label", name);
  return box;
};
const headOf = (names) => make("thead", {}, make("tr", {}, ...names.map((text) => make("th", { textContent: text, scope: "col" }))));
const list = boxOf("List of records", make("table", {}, headOf(HEADS), body));
const panel = make("section", { id: "loadgen-records", className: "loadgen-box", hidden: true },
  make("h2", { textContent: "Records" }), note, list, make("div", { className: "buttons" }, button), state, result);
panel.setAttribute("aria-label", "Records");
document.body.append(panel);

const selected = new Set();
let shown = "";

function reportOf(record) {
  const path = `records/${encodeURIComponent(record.name)}/report`;
  if (record.has_report) return make("a", { href: `./${KEY}/${path}`, textContent: "Report", target: "_blank", rel: "noopener" });
  const write = make("button", { type: "button", className: "plain", textContent: "Write report" });
  write.addEventListener("click", () => run(async () => {
    say(state, (await ask(path, {})).message);
    await refresh();
  }, "Writing the report."));
  return write;
}

function rowOf(record) {
  const box = make("input", { type: "checkbox", checked: selected.has(record.name) });
  box.setAttribute("aria-label", `Compare ${record.name}`);
  box.addEventListener("change", () => {
    box.checked ? selected.add(record.name) : selected.delete(record.name);
    button.disabled = selected.size !== 2;
  });
  const link = make("a", { href: `./${KEY}/records/${encodeURIComponent(record.name)}`, textContent: record.name, target: "_blank", rel: "noopener" });
  return make("tr", {}, make("td", {}, box), make("th", { scope: "row" }, link), make("td", { textContent: record.written }),
    make("td", { textContent: record.megabytes.toFixed(3) }), make("td", {}, reportOf(record)));
}

function show(listing) {
  const text = JSON.stringify(listing);
  if (text === shown) return; // a box or link that has the focus stays
  shown = text;
  const number = listing.records.length;
  say(note, listing.folder === "" ? "This process keeps no records: --record is empty."
    : number === 0 ? `There is no record in ${listing.folder} yet.`
    : number < listing.most ? `In ${listing.folder}, the newest first.` : `The newest ${number} of ${listing.folder}.`);
  const names = new Set(listing.records.map((one) => one.name));
  for (const name of selected) if (!names.has(name)) selected.delete(name);
  button.disabled = selected.size !== 2;
  list.hidden = button.hidden = number === 0;
  body.replaceChildren(...listing.records.map(rowOf));
}

async function refresh() {
  try {
    show(await ask("records"));
  } catch (error) {
    say(note, error.message);
  }
}

async function run(work, words) {
  say(state, words);
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(state, error.message);
  }
  button.disabled = selected.size !== 2;
}

const figureOf = (value) => value === null ? "-" : value.toPrecision(4);
const ratioOf = (ratio) => ratio === null ? "-" : `${ratio.estimate.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`;

function showResult(comparison) {
  const rows = comparison.findings.map((one) => {
    const load = one.rate === null ? `${one.concurrency} users` : `${one.rate}/s`;
    const cells = [one.operation, one.variant, load, one.figure, figureOf(one.old), figureOf(one.new), ratioOf(one.ratio), one.verdict];
    return make("tr", {}, ...cells.map((text) => make("td", { textContent: text })));
  });
  const caption = make("caption", { textContent: `OLD ${comparison.old}, NEW ${comparison.new}; times in seconds, 95 % intervals` });
  const table = make("table", {}, caption, headOf(FINDINGS), make("tbody", {}, ...rows));
  result.replaceChildren(...comparison.verdict.map((line) => make("p", { textContent: line })), boxOf("Comparison of two records", table));
}

button.addEventListener("click", () => run(async () => {
  const written = [...body.querySelectorAll("a")].map((link) => link.textContent).filter((name) => selected.has(name));
  result.replaceChildren();
  const [recent, older] = written; // the list begins with the newest
  showResult(await ask("compare", { old: older, new: recent }));
  say(state, "Compared.");
}, "Comparing; this may take some seconds."));

let askedAt = -Infinity;
setInterval(() => {
  const tab = new URLSearchParams(location.search).get("tab") === KEY && document.querySelector('#root [role="tab"]') !== null;
  const chosen = tab || document.body.classList.contains("loadgen-start");
  panel.classList.toggle("loadgen-dark", isDark());
  panel.hidden = !chosen;
  if (chosen && !document.hidden && performance.now() - askedAt >= ASK_MS) {
    askedAt = performance.now();
    refresh();
  }
}, LOOK_MS);
