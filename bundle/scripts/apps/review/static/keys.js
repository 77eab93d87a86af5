// The keyboard.

import { confirm, reject, reopen } from "./decisions.js";
import { changed, reset, snapshot, undo } from "./editing.js";
import { step } from "./studies.js";
import { announce, find, page } from "./state.js";
import { choose, put, use } from "./tools.js";
import { invert, overlay, viewer, zoom } from "./window.js";

export const KEYS = [
  ["v", "move the film", () => use("pan")],
  ["w", "window: drag across for its width, up for a brighter film", () => use("window")],
  ["c", "pull the contour", () => use("contour")],
  ["b", "brush", () => use("add")],
  ["e", "eraser", () => use("erase")],
  ["m", "landmarks", () => use("landmark")],
  ["u", "undo (also Ctrl+Z)", () => undo(page.undo, page.redo, "undo")],
  ["y", "redo (also Ctrl+Y)", () => undo(page.redo, page.undo, "redo")],
  ["s", "as screened", reset],
  ["d", "show or hide the drawing", overlay],
  ["i", "invert", invert],
  ["f", "whole film", () => viewer.viewport.goHome()],
  ["+", "zoom in", () => zoom(1.4)],
  ["-", "zoom out", () => zoom(1 / 1.4)],
  ["r", "the right hip", () => select("right")],
  ["l", "the left hip", () => select("left")],
  ["1 to 5", "a landmark of that hip; arrow keys move it, with Shift by ten pixels", null],
  ["k", "confirm that hip", () => decide(confirm)],
  ["x", "reject that hip", () => decide(reject)],
  ["o", "reopen that hip", () => decide(reopen)],
  ["n", "next film", () => step(1)],
  ["p", "film before", () => step(-1)],
  ["?", "this list", () => find("shortcuts").showModal()],
];

function select(hip) {
  page.hip = hip;
  announce("hip");
}

function decide(how) {
  const { film, hip } = page;
  if (!film) return;
  const can = how === reopen ? film.decisions[hip] : (film.hips[hip].shown || film.edited[hip]) && !film.decisions[hip];
  if (can) how(hip);
}

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
let nudging = null;

export const isNudging = () => nudging !== null;

function nudge(event) {
  const point = page.film?.landmarks[page.chosen.hip][page.chosen.name];
  if (!point || page.stale) return;
  event.preventDefault();
  const [dx, dy] = ARROWS[event.key].map((one) => one * (event.shiftKey ? 10 : 1));
  const before = nudging?.before || snapshot();
  put(page.chosen, [point[1] + dx, point[0] + dy]);
  clearTimeout(nudging?.timer);
  const timer = setTimeout(() => {
    nudging = null;
    changed(before, "landmark");
  }, 500);
  nudging = { before, timer };
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || !page.overview) return;
  if (event.target.closest("input, select, textarea")) return;
  if (event.ctrlKey || event.metaKey) {
    const way = { z: event.shiftKey ? "redo" : "undo", y: "redo" }[event.key.toLowerCase()];
    if (!way) return;
    event.preventDefault();
    if (way === "undo") undo(page.undo, page.redo, "undo");
    else undo(page.redo, page.undo, "redo");
    return;
  }
  if (event.altKey) return;
  if (event.key in ARROWS && page.tool === "landmark" && page.chosen) {
    nudge(event);
    return;
  }
  const name = page.overview.landmarks[Number(event.key) - 1];
  if (name && page.film) {
    use("landmark");
    choose({ hip: page.hip, name });
    return;
  }
  KEYS.find(([key]) => key === event.key)?.[2]?.();
});
