// The tools that the pointer works with: window, contour, brush and eraser, landmarks.

import { beyond, crosses, nearest, pull, redraw } from "./contour.js";
import { changed, snapshot } from "./editing.js";
import { stroke } from "./mask.js";
import { announce, find, page, tell } from "./state.js";
import { drawing, set, view, viewer } from "./window.js";

const millimetres = (length) => length / page.film.spacing_mm[1];

export function use(tool) {
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

export function put({ hip, name }, [x, y]) {
  const { rows, cols, landmarks } = page.film;
  const inside = (number, size) => Math.round(100 * Math.min(size - 1, Math.max(0, number))) / 100;
  landmarks[hip][name] = [inside(y, rows), inside(x, cols)];
  drawing.draw();
}

export function choose(taken) {
  page.chosen = taken;
  if (taken) page.hip = taken.hip;
  drawing.chosen = taken;
  drawing.draw();
  announce("hip");
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
