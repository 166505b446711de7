// A map to draw a region on, beside the fields that hold it. It loads nothing but the coastlines.
"use strict";

const map = document.getElementById("map");
const svg = map.querySelector("svg");
const field = (name) => document.getElementById(`f-${name}`);
const [longitude, latitude, size] = ["longitude", "latitude", "region_size"].map(field);
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60]; // degrees
const APART = 45; // pixels between two lines of the grid, so that their numbers have room
const SMALLEST = 0.02; // degrees across
const CLICK = 4; // pixels that a hand trembles by

let view = { x: -180, y: -90, width: 360 }; // y grows to the south, as in SVG
let mode = "draw";
let from = null;

const unit = () => view.width / svg.clientWidth; // degrees per pixel
const number = (input) => (input && input.value !== "" ? Number(input.value) : NaN);

function show(x, y, width) {
  width = Math.min(360, Math.max(SMALLEST, width));
  view = {
    x: Math.min(180 - width, Math.max(-180, x)),
    y: Math.min(90 - width / 2, Math.max(-90, y)),
    width,
  };
  svg.setAttribute("viewBox", `${view.x} ${view.y} ${width} ${width / 2}`);
  drawGrid();
  drawRegion();
}

function drawGrid() {
  const step = STEPS.find((one) => one / unit() >= APART) || STEPS.at(-1);
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  const labels = [];
  let path = "";
  for (let i = Math.ceil(view.x / step); i * step <= view.x + view.width; i++) {
    path += `M${i * step} ${view.y}v${view.width / 2}`;
    labels.push([i * step + 3 * unit(), view.y + view.width / 2 - 5 * unit(), (i * step).toFixed(digits)]);
  }
  for (let i = Math.ceil(view.y / step); i * step <= view.y + view.width / 2; i++) {
    path += `M${view.x} ${i * step}h${view.width}`;
    if (i * step > view.y + view.width / 2 - 24 * unit()) continue; // those of longitude stand there
    labels.push([view.x + 3 * unit(), i * step - 3 * unit(), (-i * step || 0).toFixed(digits)]);
  }
  svg.querySelector(".grid").setAttribute("d", path);
  svg.querySelector(".labels").replaceChildren(...labels.map(label));
}

function label([x, y, text]) {
  const made = document.createElementNS(svg.namespaceURI, "text");
  const look = { x, y, "font-size": 11 * unit(), "stroke-width": 3 * unit() };
  for (const [name, value] of Object.entries(look)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

function drawRegion() {
  const [x, y, side] = [number(longitude), -number(latitude), number(size) || 0];
  const there = Number.isFinite(x) && Number.isFinite(y);
  const arm = 12 * unit();
  const cross = there ? `M${x - arm} ${y}h${2 * arm}M${x} ${y - arm}v${2 * arm}` : "";
  const half = side / 2;
  const square = there && side > 0 ? `M${x - half} ${y - half}h${side}v${side}h${-side}z` : "";
  svg.querySelector(".cross").setAttribute("d", side > 2 * arm ? "" : cross);
  svg.querySelector(".region").setAttribute("d", square);
}

function at(event) {
  const box = svg.getBoundingClientRect();
  return { x: view.x + (event.clientX - box.left) * unit(), y: view.y + (event.clientY - box.top) * unit() };
}

function put(input, value) {
  if (!input) return;
  const low = input.min === "" ? -Infinity : Number(input.min);
  const high = input.max === "" ? Infinity : Number(input.max);
  const digits = Math.max(0, Math.ceil(-Math.log10(unit())));
  input.value = Number(Math.min(high, Math.max(low, value)).toFixed(digits));
}

function choose(point) {
  const wide = Math.max(Math.abs(point.x - from.x), Math.abs(point.y - from.y));
  if (wide < CLICK * unit()) {
    put(longitude, from.x);
    put(latitude, -from.y);
  } else {
    put(longitude, from.x + (Math.sign(point.x - from.x) * wide) / 2);
    put(latitude, -from.y - (Math.sign(point.y - from.y) * wide) / 2);
    put(size, wide);
  }
  drawRegion();
}

svg.addEventListener("pointerdown", (event) => {
  svg.setPointerCapture(event.pointerId);
  from = { ...at(event), view };
});
svg.addEventListener("pointermove", (event) => {
  if (!from) return;
  if (mode === "draw") return choose(at(event));
  const box = svg.getBoundingClientRect();
  show(from.x - (event.clientX - box.left) * unit(), from.y - (event.clientY - box.top) * unit(), view.width);
});
svg.addEventListener("pointerup", (event) => {
  if (from && mode === "draw") choose(at(event));
  from = null;
});
svg.addEventListener("pointercancel", () => (from = null));

function zoom(factor) {
  const [x, y] = [number(longitude), -number(latitude)];
  const inside = x >= view.x && x <= view.x + view.width && y >= view.y && y <= view.y + view.width / 2;
  const middle = inside ? { x, y } : { x: view.x + view.width / 2, y: view.y + view.width / 4 };
  const width = view.width * factor;
  show(middle.x - width / 2, middle.y - width / 4, width);
}

const acts = {
  closer: () => zoom(1 / 3),
  farther: () => zoom(3),
  world: () => show(-180, -90, 360),
  draw: () => (mode = "draw"),
  move: () => (mode = "move"),
};
for (const button of map.querySelectorAll("button")) {
  button.addEventListener("click", () => {
    acts[button.value]();
    for (const one of map.querySelectorAll("[aria-pressed]")) one.setAttribute("aria-pressed", one.value === mode);
    svg.classList.toggle("moving", mode === "move");
  });
}
for (const input of [longitude, latitude, size]) input?.addEventListener("input", drawRegion);
addEventListener("resize", () => show(view.x, view.y, view.width));
map.querySelector(".tools").hidden = false;
show(-180, -90, 360);
