// The list of studies with their films.

import { open } from "./editing.js";
import { films, find, page } from "./state.js";

export function list() {
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

export function step(by) {
  const all = films();
  const at = all.findIndex((film) => film.name === page.film?.name);
  const next = all[(at + by + all.length) % all.length];
  if (next) open(next.name);
}
