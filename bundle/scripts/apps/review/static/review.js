// The page of a review: studies, film, tools, decisions. Whatever is done is sent to the server at once.

import { buttons, decisions } from "./decisions.js";
import { isSaving, open, reset, undo } from "./editing.js";
import { isNudging, KEYS } from "./keys.js";
import { get } from "./server.js";
import { alarm, films, find, on, page } from "./state.js";
import { list } from "./studies.js";
import { use } from "./tools.js";
import { invert, overlay, viewer, zoom } from "./window.js";

for (const hearer of [list, decisions]) on("film", hearer);
on("hip", decisions);
on("drawing", buttons);

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
  if (isSaving() || isNudging()) event.preventDefault();
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
