// The drawing over the film: outlines, landmarks, and what a tool is about to do.

const COLOURS = ["", "#40c4ff", "#ff9100", "#e040fb"]; // of femur, prosthesis and fixation, as on the overlays
const POINT = "#76ff03";
const CHOSEN = "#ffd54f";

export class Drawing {
  constructor(viewer, element) {
    this.viewer = viewer;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "drawing";
    element.append(this.canvas);
    viewer.addHandler("update-viewport", () => this.draw());
    viewer.addHandler("resize", () => this.draw());
    this.shown = true;
    this.clear();
  }

  clear() {
    Object.assign(this, { outlines: [], landmarks: {}, chosen: null, preview: null });
  }

  // A pixel's (x, y) as a place on the canvas, in CSS pixels, and back.
  place([x, y]) {
    const point = this.viewer.world.getItemAt(0).imageToViewerElementCoordinates(new OpenSeadragon.Point(x + 0.5, y + 0.5));
    return [point.x, point.y];
  }

  pixel(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top);
    const point = this.viewer.world.getItemAt(0).viewerElementToImageCoordinates(at);
    return [point.x - 0.5, point.y - 0.5];
  }

  // CSS pixels that one pixel of the film takes.
  get scale() {
    return this.place([1, 0])[0] - this.place([0, 0])[0];
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!this.shown || !this.viewer.world.getItemCount()) return;
    const [left, top] = this.place([0, 0]);
    const scale = this.scale;
    const line = (points) => {
      pen.beginPath();
      for (const [x, y] of points) pen.lineTo(left + x * scale, top + y * scale);
      pen.closePath();
      pen.stroke();
    };
    pen.lineWidth = 2;
    this.outlines.forEach((found, value) => {
      pen.strokeStyle = COLOURS[value];
      for (const { points } of found) line(points);
    });
    if (this.preview?.points) {
      pen.strokeStyle = this.preview.bad ? "#ff5252" : CHOSEN;
      line(this.preview.points);
    }
    if (this.preview?.stroke) {
      pen.strokeStyle = this.preview.erase ? "#ff5252aa" : "#ffd54faa";
      pen.lineCap = pen.lineJoin = "round";
      pen.lineWidth = Math.max(2, 2 * this.preview.radius * scale);
      pen.beginPath();
      for (const [x, y] of this.preview.stroke) pen.lineTo(left + x * scale, top + y * scale);
      pen.lineTo(left + this.preview.stroke.at(-1)[0] * scale + 0.01, top + this.preview.stroke.at(-1)[1] * scale);
      pen.stroke();
      pen.lineWidth = 2;
    }
    pen.font = "13px system-ui, sans-serif";
    for (const [hip, points] of Object.entries(this.landmarks)) {
      for (const [name, point] of Object.entries(points)) {
        if (!point) continue;
        const [x, y] = this.place([point[1], point[0]]);
        const chosen = this.chosen && this.chosen.hip === hip && this.chosen.name === name;
        pen.strokeStyle = pen.fillStyle = chosen ? CHOSEN : POINT;
        pen.beginPath();
        pen.arc(x, y, chosen ? 8 : 5, 0, 2 * Math.PI);
        pen.moveTo(x - 12, y);
        pen.lineTo(x + 12, y);
        pen.moveTo(x, y - 12);
        pen.lineTo(x, y + 12);
        pen.stroke();
        if (chosen) pen.fillText(name.replaceAll("_", " "), x + 14, y - 8);
      }
    }
  }
}
