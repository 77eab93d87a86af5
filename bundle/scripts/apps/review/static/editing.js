// A film from its opening on: what is changed on it is sent to the server at once, and can be undone.

import { Grey } from "./film.js";
import { decode, encode, outlines } from "./mask.js";
import * as numbers from "./numbers.js";
import { bytes, get, post } from "./server.js";
import { alarm, announce, films, find, page, tell } from "./state.js";
import { drawing, view, viewer } from "./window.js";

let queue = Promise.resolve();
let waiting = 0;
let loads = 0;

export const isSaving = () => waiting > 0;

// Sends one thing after another; each goes with the version that the one before has made.
export function send(content) {
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
  announce("film");
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

export async function open(name) {
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
  announce("film");
}

function trace() {
  const { rows, cols } = page.film;
  drawing.outlines = page.overview.classes.map((_, value) => (value ? outlines(page.mask, rows, cols, value) : []));
  drawing.landmarks = page.film.landmarks;
  drawing.chosen = page.chosen;
  drawing.draw();
}

export const snapshot = () => ({ mask: encode(page.mask), landmarks: structuredClone(page.film.landmarks) });

// Keeps what stood before, shows what was done, and saves it.
export function changed(before, tool) {
  page.undo.push(before);
  page.redo = [];
  save(tool);
}

function save(tool) {
  trace();
  const { mask, landmarks } = snapshot();
  announce("drawing");
  return send({ action: "edit", tool, mask, landmarks });
}

function restore(state, tool) {
  page.mask = decode(state.mask, page.film.rows * page.film.cols);
  page.film.landmarks = structuredClone(state.landmarks);
  save(tool);
}

export function undo(from, onto, tool) {
  if (!page.film || page.stale || !from.length) return;
  onto.push(snapshot());
  restore(from.pop(), tool);
}

export function reset() {
  if (!page.film || page.stale) return;
  page.undo.push(snapshot());
  page.redo = [];
  restore(page.film.found, "reset");
}
