// A mask of classes, one byte a pixel, row after row: its runs, its outlines, and the brush. Points are (x, y) in pixels; the
// centre of the first is (0, 0).

export function decode(runs, size) {
  const mask = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    mask.fill(runs[i], at, at + runs[i + 1]);
    at += runs[i + 1];
  }
  return mask;
}

export function encode(mask) {
  const runs = [];
  let start = 0;
  for (let i = 1; i <= mask.length; i++) {
    if (i === mask.length || mask[i] !== mask[start]) {
      runs.push(mask[start], i - start);
      start = i;
    }
  }
  return runs;
}

const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1]]; // east, south, west, north, between corners of pixels

// The closed outlines of one class: {points: [[x, y], ...], hole}. Each point is the middle of an edge between a pixel of the
// class and one that is not; filling the polygon gives back the very pixels.
export function outlines(mask, rows, cols, value) {
  const is = (x, y) => x >= 0 && y >= 0 && x < cols && y < rows && mask[y * cols + x] === value;
  const seen = new Set();
  const found = [];
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] !== value || (i >= cols && mask[i - cols] === value) || seen.has(i)) continue;
    const startX = i % cols;
    const startY = (i - startX) / cols;
    const points = [];
    let [x, y, way] = [startX, startY, 0];
    do {
      if (way === 0) seen.add(y * cols + x);
      const [dx, dy] = STEPS[way];
      points.push([x + dx / 2 - 0.5, y + dy / 2 - 0.5]);
      x += dx;
      y += dy;
      const left = is(x - (way === 2 || way === 3 ? 1 : 0), y - (way === 0 || way === 3 ? 1 : 0));
      const right = is(x - (way === 1 || way === 2 ? 1 : 0), y - (way === 2 || way === 3 ? 1 : 0));
      if (!right) way = (way + 1) % 4;
      else if (left) way = (way + 3) % 4;
    } while (x !== startX || y !== startY || way !== 0);
    let area = 0;
    for (let k = 0, j = points.length - 1; k < points.length; j = k++) {
      area += points[j][0] * points[k][1] - points[k][0] * points[j][1];
    }
    found.push({ points, hole: area < 0 });
  }
  return found;
}

// Paints a class along a line from one point to another, or erases it; what metal hides of the bone is metal.
export function stroke(mask, rows, cols, from, to, radius, value, erase) {
  const top = Math.max(0, Math.ceil(Math.min(from[1], to[1]) - radius));
  const bottom = Math.min(rows - 1, Math.floor(Math.max(from[1], to[1]) + radius));
  const first = Math.max(0, Math.ceil(Math.min(from[0], to[0]) - radius));
  const last = Math.min(cols - 1, Math.floor(Math.max(from[0], to[0]) + radius));
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  for (let y = top; y <= bottom; y++) {
    for (let x = first; x <= last; x++) {
      const share = length ? Math.min(1, Math.max(0, ((x - from[0]) * dx + (y - from[1]) * dy) / length)) : 0;
      if ((x - from[0] - share * dx) ** 2 + (y - from[1] - share * dy) ** 2 > radius * radius) continue;
      const i = y * cols + x;
      if (erase ? mask[i] === value : value > 1 || mask[i] === 0) mask[i] = erase ? 0 : value;
    }
  }
}
