// Making elements, and numbers as text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const html = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

/** 0.634 as "63 %"; less than half a percent, but more than nothing, as "<1 %". */
export function percent(share) {
  const rounded = Math.round(100 * share);
  return rounded === 0 && share > 0 ? "<1 %" : `${rounded} %`;
}

/** A number with a sign that lines up, and with as many digits as matter. */
export function signed(number) {
  const digits = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  const size = Math.abs(number).toFixed(digits);
  return `${number < 0 && Number(size) > 0 ? "−" : "+"}${size}`;
}
