// What the page shows at the moment, and who wants to know when that changes.

export const find = (id) => document.getElementById(id);
export const title = (word) => word[0].toUpperCase() + word.slice(1).replaceAll("_", " ");

export const page = { overview: null, film: null, grey: null, tool: "pan", hip: "right", chosen: null, undo: [], redo: [], stale: false };

export const films = () => page.overview.studies.flatMap((study) => study.films);

// "film": another one, or decided otherwise; "hip": another hip or landmark is chosen; "drawing": it can be undone otherwise.
const hearers = { film: [], hip: [], drawing: [] };
export const on = (change, hearer) => hearers[change].push(hearer);
export const announce = (change) => hearers[change].forEach((hearer) => hearer());

export function alarm(text, action, name) {
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

export const tell = (text) => {
  find("saved").textContent = text;
};
