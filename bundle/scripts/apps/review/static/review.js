// The page of a review: studies, film, tools, decisions. Whatever is done is sent to the server at once.

import { beyond, crosses, nearest, pull, redraw } from "./contour.js";
import { Drawing } from "./drawing.js";
import { Grey } from "./film.js";
import { decode, encode, outlines, stroke } from "./mask.js";
import * as numbers from "./numbers.js";
import { bytes, get, post } from "./server.js";

const find = (id) => document.getElementById(id);
const title = (word) => word[0].toUpperCase() + word.slice(1).replaceAll("_", " ");

const page = { overview: null, film: null, grey: null, tool: "pan", hip: "right", chosen: null, undo: [], redo: [], stale: false };
const view = { level: 0.5, width: 1, inverted: false };
let queue = Promise.resolve();
let waiting = 0;
let loads = 0;

const viewer = OpenSeadragon({
  element: find("film"),
  drawer: "canvas",
  showNavigationControl: false,
  animationTime: 0.2,
  maxZoomPixelRatio: 12,
  minZoomImageRatio: 0.7,
  visibilityRatio: 0.4,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false },
  gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false },
  crossOriginPolicy: false,
});
viewer.setMouseNavEnabled(true);
viewer.keyboardNavEnabled = false;
const drawing = new Drawing(viewer, find("film"));
viewer.addHandler("tile-invalidated", async (event) => {
  const context = await event.getData("context2d");
  page.grey.paint(context, event.tile.level, event.tile.x, event.tile.y);
  await event.setData(context, "context2d");
});

// ---- what the server says

function alarm(text, action, name) {
  const place = find("alarm");
  place.hidden = !text;
  place.textContent = text || "";
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", action);
    place.append(" ", button);
  }
}

const tell = (text) => {
  find("saved").textContent = text;
};

// Sends one thing after another; each goes with the version that the one before has made.
function send(content) {
  const film = page.film;
  waiting++;
  tell("Saving …");
  const sent = queue.then(async () => {
    try {
      if (film !== page.film || page.stale) return;
      take(await post(`films/${film.name}`, { ...content, version: film.version }));
      alarm("");
      tell(`Saved: version ${film.version} of this film.`);
      askForNumbers();
    } catch (error) {
      tell("Not saved.");
      if (error.changed) {
        page.stale = true;
        alarm(error.message, () => open(film.name), "Reload the film");
      } else if (content.action === "edit") {
        alarm(error.message, () => save(content.tool), "Save what is shown");
      } else {
        alarm(error.message);
      }
    } finally {
      waiting--;
    }
  });
  queue = sent;
  return sent;
}

function take(state) {
  Object.assign(page.film, state);
  const { of_study: study } = state;
  page.overview.studies = page.overview.studies.map((one) => (one.study === study.study ? study : one));
  list();
  decisions();
}

let asked = 0;
async function askForNumbers() {
  const film = page.film;
  const mine = ++asked;
  const isLast = () => mine === asked && film === page.film;
  find("numbers-state").textContent = "Computing …";
  await new Promise((done) => setTimeout(done, 400));
  if (!isLast()) return;
  try {
    const found = await get(`studies/${film.study}/numbers`);
    if (!isLast()) return;
    numbers.show(find("numbers"), page.overview, film, found);
    const coverage = Math.round(100 * page.overview.coverage);
    const held = page.overview.confirm_first ? " Estimates appear once a hip is confirmed." : "";
    find("numbers-state").textContent = found.corrected
      ? `Computed anew from what you corrected or rejected. Intervals: ${coverage}%.${held}`
      : `As screened: nothing was corrected. Intervals: ${coverage}%.${held}`;
  } catch (error) {
    if (isLast() && !error.superseded) find("numbers-state").textContent = error.message;
    if (isLast() && error.superseded) askForNumbers();
  }
}

// ---- studies

function list() {
  const wanted = find("filter").value || "all";
  const flags = [...new Set(page.overview.studies.flatMap((study) => study.flags))].sort();
  const choices = [["all", "all"], ["open", "open"], ["done", "done"], ...flags.map((flag) => [`flag ${flag}`, flag])];
  find("filter").replaceChildren(...choices.map(([value, name]) => new Option(name, value, false, value === wanted)));
  const shown = page.overview.studies.filter(
    (study) => wanted === "all" || (wanted === "open" && !study.done) || (wanted === "done" && study.done) || study.flags.some((flag) => wanted === `flag ${flag}`),
  );
  const items = shown.flatMap((study) =>
    study.films.map((film) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.film = film.name;
      button.textContent = film.name;
      const told = document.createElement("small");
      const state = film.lost ? "cannot be seen" : film.open.length ? `open: ${film.open.join(", ")}` : "done";
      told.textContent = [state, ...film.flags].join(" · ");
      button.append(told);
      button.setAttribute("aria-current", String(film.name === page.film?.name));
      button.addEventListener("click", () => open(film.name));
      item.append(button);
      return item;
    }),
  );
  const focused = document.activeElement?.dataset?.film;
  find("studies").replaceChildren(...items);
  if (focused) find("studies").querySelector(`[data-film="${focused}"]`)?.focus();
  const seen = page.overview.studies.filter((study) => study.films.some((film) => !film.lost));
  find("progress").textContent = `${seen.filter((study) => study.done).length} of ${seen.length} studies done`;
}

const films = () => page.overview.studies.flatMap((study) => study.films);

function step(by) {
  const all = films();
  const at = all.findIndex((film) => film.name === page.film?.name);
  const next = all[(at + by + all.length) % all.length];
  if (next) open(next.name);
}

// ---- a film

async function open(name) {
  const load = ++loads;
  await queue;
  alarm("");
  tell("Loading …");
  Object.assign(page, { film: null, grey: null, undo: [], redo: [], chosen: null, stale: false });
  find("numbers").replaceChildren();
  find("numbers-state").textContent = "";
  drawing.clear();
  viewer.close();
  const lost = films().find((film) => film.name === name)?.lost;
  find("decide-title").textContent = `Film ${name}`;
  find("lost").hidden = !lost;
  find("lost").textContent = lost || "";
  try {
    if (lost) throw new Error(lost);
    const [film, grey] = await Promise.all([get(`films/${name}`), bytes(`films/${name}/grey`)]);
    if (load !== loads) return;
    page.film = film;
    page.mask = decode(film.mask, film.rows * film.cols);
    page.grey = new Grey(new Uint16Array(grey), film.rows, film.cols);
    page.grey.show(view.level, view.width, view.inverted);
    history.replaceState(null, "", location.pathname + `?film=${name}` + location.hash);
    find("film").setAttribute("aria-label", `Film ${name}, ${film.rows} by ${film.cols} pixels`);
    await new Promise((done) => {
      viewer.addOnceHandler("open", done);
      viewer.open(page.grey.source());
    });
    page.hip = film.of_study.films.find((one) => one.name === name).open[0] || page.hip;
    trace();
    tell(film.version ? `As you left it: version ${film.version}.` : "As screened.");
    askForNumbers();
  } catch (error) {
    if (load !== loads) return;
    tell("");
    find("lost").hidden = false;
    find("lost").textContent = error.message;
  }
  list();
  decisions();
}

function trace() {
  const { rows, cols } = page.film;
  drawing.outlines = page.overview.classes.map((_, value) => (value ? outlines(page.mask, rows, cols, value) : []));
  drawing.landmarks = page.film.landmarks;
  drawing.chosen = page.chosen;
  drawing.draw();
}

const snapshot = () => ({ mask: encode(page.mask), landmarks: structuredClone(page.film.landmarks) });

// Keeps what stood before, shows what was done, and saves it.
function changed(before, tool) {
  page.undo.push(before);
  page.redo = [];
  save(tool);
}

function save(tool) {
  trace();
  const { mask, landmarks } = snapshot();
  buttons();
  return send({ action: "edit", tool, mask, landmarks });
}

function restore(state, tool) {
  page.mask = decode(state.mask, page.film.rows * page.film.cols);
  page.film.landmarks = structuredClone(state.landmarks);
  save(tool);
}

function undo(from, onto, tool) {
  if (!page.film || page.stale || !from.length) return;
  onto.push(snapshot());
  restore(from.pop(), tool);
}

function reset() {
  if (!page.film || page.stale) return;
  page.undo.push(snapshot());
  page.redo = [];
  restore(page.film.found, "reset");
}

// ---- tools

const millimetres = (length) => length / page.film.spacing_mm[1];

function use(tool) {
  page.tool = tool;
  for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  for (const setting of document.querySelectorAll("[data-of]")) setting.hidden = !setting.dataset.of.split(" ").includes(tool);
  drawing.canvas.style.pointerEvents = tool === "pan" ? "none" : "auto";
  drawing.canvas.style.cursor = { window: "ew-resize", contour: "grab", add: "crosshair", erase: "crosshair", landmark: "crosshair" }[tool] || "";
}

const value = () => page.overview.classes.indexOf(find("structure").value);

const TOOLS = {
  window: {
    start: (event) => ({ x: event.clientX, y: event.clientY, level: view.level, width: view.width }),
    move: (held, event) => {
      set("level", held.level + (event.clientY - held.y) / 600);
      set("width", held.width + (event.clientX - held.x) / 400);
    },
    end: () => {},
  },
  contour: {
    start: (event) => {
      const [x, y] = drawing.pixel(event);
      const found = nearest(drawing.outlines[value()], x, y, 18 / drawing.scale);
      if (!found) tell(`There is no contour of ${find("structure").value} here: take it nearer, or draw it with the brush.`);
      return found && { ...found, x, y, value: value() };
    },
    move: (held, event) => {
      const [x, y] = drawing.pixel(event);
      const reach = millimetres(Number(find("reach").value));
      held.made = pull(held.outline.points, held.index, x - held.x, y - held.y, reach, page.film.rows, page.film.cols);
      held.bad = crosses(held.made.points, held.made.moved);
      drawing.preview = { points: held.made.points, bad: held.bad };
      drawing.draw();
    },
    end: (held) => {
      if (!held.made) return;
      if (held.bad) {
        tell("The contour would cross itself, so it stays as it was. Pull less far, or with a longer reach.");
        return;
      }
      const { rows, cols } = page.film;
      const before = snapshot();
      const other = beyond(page.mask, rows, cols, held.outline.points[held.index], held.value);
      redraw(page.mask, rows, cols, held.outline.points, held.made.points, held.outline.hole, held.value, other);
      changed(before, "contour");
    },
  },
  landmark: {
    start: (event) => {
      const at = drawing.pixel(event);
      const before = snapshot();
      let least = (18 / drawing.scale) ** 2;
      let taken = null;
      for (const [hip, points] of Object.entries(page.film.landmarks)) {
        for (const [name, point] of Object.entries(points)) {
          const apart = point && (point[1] - at[0]) ** 2 + (point[0] - at[1]) ** 2;
          if (point && apart <= least) [least, taken] = [apart, { hip, name }];
        }
      }
      if (!taken && page.chosen && !page.film.landmarks[page.chosen.hip][page.chosen.name]) taken = page.chosen;
      if (!taken) {
        tell("There is no landmark here: take it nearer, or choose a missing one first, at the right.");
        return null;
      }
      choose(taken);
      put(taken, at);
      return { before, taken };
    },
    move: (held, event) => put(held.taken, drawing.pixel(event)),
    end: (held) => changed(held.before, "landmark"),
  },
};

for (const tool of ["add", "erase"]) {
  TOOLS[tool] = {
    start: (event) => ({ points: [drawing.pixel(event)], radius: millimetres(Number(find("brush").value)) }),
    move: (held, event) => {
      held.points.push(drawing.pixel(event));
      drawing.preview = { stroke: held.points, radius: held.radius, erase: tool === "erase" };
      drawing.draw();
    },
    end: (held) => {
      const { rows, cols } = page.film;
      const before = snapshot();
      held.points.forEach((point, index) => {
        stroke(page.mask, rows, cols, held.points[Math.max(0, index - 1)], point, held.radius, value(), tool === "erase");
      });
      changed(before, "brush");
    },
  };
}

function put({ hip, name }, [x, y]) {
  const { rows, cols, landmarks } = page.film;
  const inside = (number, size) => Math.round(100 * Math.min(size - 1, Math.max(0, number))) / 100;
  landmarks[hip][name] = [inside(y, rows), inside(x, cols)];
  drawing.draw();
}

function choose(taken) {
  page.chosen = taken;
  if (taken) page.hip = taken.hip;
  drawing.chosen = taken;
  drawing.draw();
  decisions();
}

let held = null;
drawing.canvas.addEventListener("pointerdown", (event) => {
  if (!page.film || page.stale || event.button !== 0 || held) return;
  const start = TOOLS[page.tool]?.start(event);
  if (!start) return;
  held = { tool: TOOLS[page.tool], start };
  drawing.canvas.setPointerCapture(event.pointerId);
  event.preventDefault();
});
drawing.canvas.addEventListener("pointermove", (event) => held?.tool.move(held.start, event));
for (const kind of ["pointerup", "pointercancel"]) {
  drawing.canvas.addEventListener(kind, () => {
    if (!held) return;
    const { tool, start } = held;
    held = null;
    drawing.preview = null;
    tool.end(start);
    drawing.draw();
  });
}
drawing.canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const box = drawing.canvas.getBoundingClientRect();
    const at = new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top);
    viewer.viewport.zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2, viewer.viewport.viewerElementToViewportCoordinates(at));
    viewer.viewport.applyConstraints();
  },
  { passive: false },
);

// ---- window

let painting = false;
function repaint() {
  if (!page.grey || painting) return;
  painting = true;
  requestAnimationFrame(async () => {
    painting = false;
    page.grey?.show(view.level, view.width, view.inverted);
    await viewer.world.getItemAt(0)?.requestInvalidate(false);
  });
}

function set(name, share) {
  const slider = find(name);
  slider.value = String(100 * share);
  view[name] = Number(slider.value) / 100;
  find(`${name}-told`).textContent = slider.value;
  repaint();
}

for (const name of ["level", "width"]) find(name).addEventListener("input", () => set(name, Number(find(name).value) / 100));
for (const name of ["reach", "brush"]) {
  find(name).addEventListener("input", () => {
    find(`${name}-told`).textContent = find(name).value;
  });
}

function invert() {
  view.inverted = !view.inverted;
  find("invert").setAttribute("aria-pressed", String(view.inverted));
  repaint();
}

function overlay() {
  drawing.shown = !drawing.shown;
  find("overlay").setAttribute("aria-pressed", String(drawing.shown));
  drawing.draw();
}

const zoom = (factor) => {
  viewer.viewport.zoomBy(factor);
  viewer.viewport.applyConstraints();
};

// ---- decisions

function button(name, action, enabled = true) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = name;
  made.disabled = !enabled;
  made.addEventListener("click", action);
  return made;
}

function paragraph(text, kind = "") {
  const made = document.createElement("p");
  made.textContent = text;
  made.className = kind;
  return made;
}

function buttons() {
  find("undo").disabled = !page.undo.length;
  find("redo").disabled = !page.redo.length;
  find("reset").disabled = !page.film;
}

function decisions() {
  buttons();
  const focus = document.activeElement?.closest("#hips") && document.activeElement.dataset.key;
  const made = !page.film ? [] : page.overview.sides.map(ofHip);
  find("hips").replaceChildren(...made);
  if (focus) find("hips").querySelector(`[data-key="${focus}"]`)?.focus();
}

function ofHip(hip) {
  const { film } = page;
  const [of, decision] = [film.hips[hip], film.decisions[hip]];
  const there = of.shown || film.edited[hip];
  const made = document.createElement("article");
  made.className = hip === page.hip ? "hip current" : "hip";
  made.setAttribute("aria-label", `${title(hip)} hip`);
  const head = document.createElement("h3");
  const word = document.createElement("span");
  const said = decision ? decision.word + (decision.corrected && decision.word === "confirmed" ? " as corrected" : "") : there ? "open" : "not found";
  word.className = `word ${decision?.word || "open"}`;
  word.textContent = said;
  head.append(`${title(hip)} hip: `, word);
  made.append(head);
  if (film.edited[hip]) made.append(paragraph("Differs from the screening."));
  if (decision?.reason) made.append(paragraph(`Reason: ${decision.reason}${decision.text ? ` (${decision.text})` : ""}`));
  if (of.reason) made.append(paragraph(`Screening: ${of.reason.code}. ${of.reason.sentence}`));
  for (const caution of of.cautions) made.append(paragraph(`Caution: ${caution.sentence}`));
  const row = document.createElement("div");
  row.className = "buttons";
  const add = (name, action, enabled) => {
    const one = button(name, () => {
      page.hip = hip;
      action(hip);
    }, enabled);
    one.dataset.key = `${hip} ${name}`;
    one.setAttribute("aria-label", `${name} the ${hip} hip`);
    row.append(one);
  };
  add("Confirm", confirm, there && !decision);
  add("Reject", reject, there && !decision);
  add("Reopen", reopen, Boolean(decision));
  made.append(row);
  const points = document.createElement("div");
  points.className = "points";
  points.setAttribute("role", "group");
  points.setAttribute("aria-label", `Landmarks of the ${hip} hip`);
  page.overview.landmarks.forEach((name, index) => {
    const point = button(`${index + 1} ${title(name)}${film.landmarks[hip][name] ? "" : " (missing)"}`, () => {
      use("landmark");
      choose({ hip, name });
      tell("Drag it, move it with the arrow keys, or click where it belongs if it is missing.");
    });
    point.dataset.key = `${hip} ${name}`;
    point.setAttribute("aria-pressed", String(page.chosen?.hip === hip && page.chosen.name === name));
    points.append(point);
  });
  made.append(points);
  return made;
}

const confirm = (hip) => send({ action: "confirm", hip });
const reopen = (hip) => send({ action: "reopen", hip });

function reject(hip) {
  const dialog = find("rejection");
  find("rejection-title").textContent = `Reject the ${hip} hip`;
  find("remark").value = "";
  dialog.returnValue = "";
  dialog.onclose = () => {
    const [reason, text] = [find("reason").value, find("remark").value.trim()];
    if (dialog.returnValue === "reject") send({ action: "reject", hip, reason, text });
  };
  dialog.showModal();
}

// ---- keyboard

const KEYS = [
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
  decisions();
}

function decide(how) {
  const { film, hip } = page;
  if (!film) return;
  const can = how === reopen ? film.decisions[hip] : (film.hips[hip].shown || film.edited[hip]) && !film.decisions[hip];
  if (can) how(hip);
}

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
let nudging = null;

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

// ---- start

for (const one of document.querySelectorAll("[data-tool]")) one.addEventListener("click", () => use(one.dataset.tool));
find("undo").addEventListener("click", () => undo(page.undo, page.redo, "undo"));
find("redo").addEventListener("click", () => undo(page.redo, page.undo, "redo"));
find("reset").addEventListener("click", reset);
find("overlay").addEventListener("click", overlay);
find("invert").addEventListener("click", invert);
find("fit").addEventListener("click", () => viewer.viewport.goHome());
find("closer").addEventListener("click", () => zoom(1.4));
find("wider").addEventListener("click", () => zoom(1 / 1.4));
find("help").addEventListener("click", () => find("shortcuts").showModal());
find("filter").addEventListener("change", list);
find("keys").replaceChildren(
  ...KEYS.flatMap(([key, meaning]) => {
    const [term, said] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = key;
    said.textContent = meaning;
    return [term, said];
  }),
);
window.addEventListener("beforeunload", (event) => {
  if (waiting || nudging) event.preventDefault();
});

try {
  page.overview = await get("overview");
  find("reader").textContent = page.overview.reader;
  find("notice").textContent = page.overview.notice;
  find("structure").replaceChildren(...page.overview.classes.slice(1).map((name) => new Option(name, name)));
  find("reason").replaceChildren(...page.overview.reasons.map((reason) => new Option(reason, reason)));
  use("pan");
  list();
  const asked = new URLSearchParams(location.search).get("film");
  const all = films();
  const first = all.find((film) => film.name === asked) || all.find((film) => film.open.length) || all.find((film) => !film.lost);
  if (first) await open(first.name);
} catch (error) {
  alarm(error.message);
}
