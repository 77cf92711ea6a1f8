// Our start form: the ten settings that matter first, in groups, with errors at their fields.
// Locust's form stays in the page, hidden; its elements are not modified.
import { ask, isDark, KEY, make, say } from "./dom.js";

const LOOK_MS = 300;
const NOT_USED = "Not used by this run: each of its phases sets the users itself, by Concurrency or Rate.";

const form = make("form", { noValidate: true });
const summary = make("p", { className: "error", role: "alert" });
const toggle = make("button", { type: "button", className: "plain", textContent: "Locust's own form" });
const cancel = make("button", { type: "button", className: "plain", textContent: "Cancel", hidden: true });
const start = make("button", { type: "submit", textContent: "Start" });
const panel = make("section", { id: "loadgen-start", className: "loadgen-box", hidden: true },
  make("h2", { textContent: "Start a run" }), form, make("div", { className: "buttons" }, cancel, toggle));
panel.setAttribute("aria-label", "Start a run");
document.body.append(panel);

let fields = new Map();
let users = null;
let hasBursts = false;

function inputOf(field) {
  if (field.kind === "choice") {
    const choices = field.choices.map((text) => make("option", { value: text, textContent: text, selected: text === field.value }));
    return make("select", {}, ...choices);
  }
  if (field.kind === "switch") return make("input", { type: "checkbox", checked: field.value === true });
  const kinds = { number: "number", secret: "password" };
  return make("input", { type: kinds[field.kind] ?? "text", value: `${field.value}`, autocomplete: "off", spellcheck: false });
}

function fieldOf(field) {
  const input = inputOf(field);
  const id = `loadgen-field-${field.name}`;
  Object.assign(input, { id, name: field.name, disabled: field.fixed });
  const help = make("p", { className: "help", id: `${id}-help`, textContent: field.help });
  const error = make("p", { className: "error", id: `${id}-error`, hidden: true });
  input.setAttribute("aria-describedby", `${help.id} ${error.id}`);
  fields.set(field.name, { input, error });
  return make("div", {}, make("label", { htmlFor: id, textContent: field.label }), input, help, error);
}

function groupOf(group, isUsers) {
  const set = make("fieldset", {}, make("legend", { textContent: group.name }));
  const inside = make("div", { className: "fields" }, ...group.fields.map(fieldOf));
  set.append(inside);
  if (isUsers) {
    const note = make("p", { className: "help", textContent: NOT_USED });
    set.append(note);
    users = { inside, note };
  }
  return set;
}

function draw(data) {
  fields = new Map();
  hasBursts = data.bursts;
  const sets = (isFirst) => data.groups.filter((group) => group.is_first === isFirst).map((group) => groupOf(group, group.name === data.users));
  const first = sets(true); // in the order of the page, so that the first error gets the focus
  const others = make("details", {}, make("summary", { textContent: "All other settings" }), ...sets(false));
  form.replaceChildren(...first, others, summary, make("div", { className: "buttons" }, start));
  showUsers();
}

const valueOf = (name) => fields.get(name)?.input.value ?? "";

function showUsers() {
  if (users === null) return;
  const areUsed = valueOf("mode") !== "compare" && valueOf("arrival") === "closed" && valueOf("find_rate").trim() === "" && !hasBursts;
  users.inside.hidden = !areUsed;
  users.note.hidden = areUsed;
}

function clearErrors() {
  summary.textContent = "";
  for (const { input, error } of fields.values()) {
    input.removeAttribute("aria-invalid");
    error.hidden = true;
    error.textContent = "";
  }
}

function showErrors(data) {
  const at = (data.faults ?? []).filter((one) => fields.has(one.field));
  const others = (data.faults ?? []).filter((one) => !fields.has(one.field)).map((one) => one.text);
  for (const { field, text } of at) {
    const { input, error } = fields.get(field);
    input.setAttribute("aria-invalid", "true");
    error.textContent = error.textContent ? `${error.textContent}\n${text}` : text;
    error.hidden = false;
    if (users.inside.contains(input)) users.inside.hidden = false;
    for (let one = input.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
  }
  const head = at.length ? `${at.length} ${at.length === 1 ? "setting is" : "settings are"} wrong; nothing was sent. See the fields in red.` : "";
  say(summary, [head, ...(at.length || others.length ? others : [data.message])].filter(Boolean).join("\n"));
  [...fields.values()].find(({ input }) => input.hasAttribute("aria-invalid"))?.input.focus();
}

function values() {
  const sent = new URLSearchParams();
  for (const [name, { input }] of fields) {
    if (!input.disabled) sent.append(name, input.type === "checkbox" ? `${input.checked}` : input.value);
  }
  return sent;
}

form.addEventListener("input", showUsers);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors();
  start.disabled = true;
  try {
    const answer = await fetch("./swarm", { method: "POST", body: values(), headers: { Accept: "application/json" } });
    const data = await answer.json();
    if (data.success) location.assign(`./?tab=${KEY}`); // Locust's page learns of the run when it is loaded
    else showErrors(data);
  } catch {
    say(summary, "Locust does not answer.");
  } finally {
    start.disabled = false;
  }
});

// "New" opens Locust's form in a dialog; ours is shown instead, in the page.
let isNew = false;
let isPassed = false;
const findNew = () => [...document.querySelectorAll("#root button")].find((one) => one.textContent.trim() === "New");

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#root button");
  if (isPassed || !button || button !== findNew()) return;
  event.stopPropagation();
  isNew = true;
  look();
}, true);

function leaveNew() {
  isNew = false;
  look();
}

cancel.addEventListener("click", leaveNew);

toggle.addEventListener("click", () => {
  if (isNew) {
    leaveNew();
    isPassed = true;
    findNew()?.click();
    isPassed = false;
    return;
  }
  const isLocusts = document.body.classList.toggle("loadgen-locusts-form");
  toggle.textContent = isLocusts ? "Form with groups" : "Locust's own form";
});

async function show() {
  try {
    draw(await ask("form"));
  } catch (error) {
    form.replaceChildren(make("p", { textContent: error.message }));
  }
}

// Locust shows its form in the page before the first run.
function look() {
  const isStart = isNew || (document.querySelector("#root form") !== null && document.querySelector('#root [role="tab"]') === null);
  panel.classList.toggle("loadgen-dark", isDark());
  document.body.classList.toggle("loadgen-start", isStart);
  document.body.classList.toggle("loadgen-new", isNew);
  cancel.hidden = !isNew;
  if (isStart && panel.hidden) show();
  panel.hidden = !isStart;
}

setInterval(look, LOOK_MS);
