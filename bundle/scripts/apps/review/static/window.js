// The film in its window: zoom, level and width, and the drawing over it.

import { Drawing } from "./drawing.js";
import { find, page } from "./state.js";

export const view = { level: 0.5, width: 1, inverted: false };

export const viewer = OpenSeadragon({
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
export const drawing = new Drawing(viewer, find("film"));
viewer.addHandler("tile-invalidated", async (event) => {
  const context = await event.getData("context2d");
  page.grey.paint(context, event.tile.level, event.tile.x, event.tile.y);
  await event.setData(context, "context2d");
});

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

export function set(name, share) {
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

export function invert() {
  view.inverted = !view.inverted;
  find("invert").setAttribute("aria-pressed", String(view.inverted));
  repaint();
}

export function overlay() {
  drawing.shown = !drawing.shown;
  find("overlay").setAttribute("aria-pressed", String(drawing.shown));
  drawing.draw();
}

export const zoom = (factor) => {
  viewer.viewport.zoomBy(factor);
  viewer.viewport.applyConstraints();
};
