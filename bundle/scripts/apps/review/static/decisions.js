// What is decided on each hip of the film, and its landmarks.

import { send } from "./editing.js";
import { find, page, tell, title } from "./state.js";
import { choose, use } from "./tools.js";

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

export function buttons() {
  find("undo").disabled = !page.undo.length;
  find("redo").disabled = !page.redo.length;
  find("reset").disabled = !page.film;
}

export function decisions() {
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

export const confirm = (hip) => send({ action: "confirm", hip });
export const reopen = (hip) => send({ action: "reopen", hip });

export function reject(hip) {
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
