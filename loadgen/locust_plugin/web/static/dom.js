// Shared by our scripts on Locust's page. Text is only ever set as text, so nothing that a server says is markup.
export const KEY = "variants";

export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text; // else a screen reader would repeat it
}

// Locust's theme is a colour of its page, not of the browser.
export function isDark() {
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

export async function ask(path, form) {
  const answer = await fetch(`./${KEY}/${path}`, {
    headers: { Accept: "application/json" }, ...(form ? { method: "POST", body: new URLSearchParams(form) } : {}),
  });
  if (answer.redirected) throw new Error("The login has expired: reload the page.");
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.message ?? `Locust answers ${answer.status}.`);
  return data;
}
