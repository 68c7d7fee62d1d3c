// Builds elements; every text goes in as text, so that no chat line can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name === "style") for (const [key, part] of Object.entries(value)) element.style.setProperty(key, part);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Makes an HTML element: `h("p", { class: "muted" }, "text", child)`. */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/** Makes an SVG element. */
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** The element with this id, which the page's HTML must hold. */
export const $ = (id) => document.getElementById(id);

/** Sets text only where it differs, so that live regions do not repeat themselves. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What is missing, and what will change that. */
export const empty = (title, detail) => h("div", { class: "empty" }, h("strong", {}, title), detail);

/** Runs `render` at most once a frame, however often it is asked. */
export function perFrame(render) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      render();
    });
  };
}

let toastTimer = 0;
/** Says one short thing at the bottom of the page, and to screen readers. */
export function toast(text) {
  let box = document.querySelector(".toast");
  if (!box) document.body.append((box = h("div", { class: "toast", role: "status" })));
  box.textContent = text;
  box.dataset.on = "";
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => delete box.dataset.on, 2400);
}
