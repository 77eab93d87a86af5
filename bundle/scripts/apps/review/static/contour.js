// Pulling an outline: the point that is taken goes with the pointer, its neighbours less and less.

export function nearest(outlines, x, y, reach) {
  let best = null;
  let least = reach * reach;
  for (const outline of outlines) {
    outline.points.forEach(([px, py], index) => {
      const apart = (px - x) ** 2 + (py - y) ** 2;
      if (apart <= least) {
        least = apart;
        best = { outline, index };
      }
    });
  }
  return best;
}

// The outline with its point `index` moved by (dx, dy): {points, moved}, `moved` the indices that did. None leaves the film.
export function pull(points, index, dx, dy, reach, rows, cols) {
  const count = points.length;
  const pulled = points.map((point) => [...point]);
  const moved = [index];
  const move = (i, along) => {
    const share = (1 + Math.cos((Math.PI * along) / reach)) / 2;
    pulled[i][0] = Math.min(cols - 0.5, Math.max(-0.5, points[i][0] + share * dx));
    pulled[i][1] = Math.min(rows - 0.5, Math.max(-0.5, points[i][1] + share * dy));
  };
  move(index, 0);
  for (const step of [1, -1]) {
    let along = 0;
    let before = index;
    for (let k = 1; k < count / 2; k++) {
      const i = (((index + step * k) % count) + count) % count;
      along += Math.hypot(points[i][0] - points[before][0], points[i][1] - points[before][1]);
      if (along >= reach) break;
      move(i, along);
      moved.push(i);
      before = i;
    }
  }
  return { points: pulled, moved };
}

// Whether one of the moved sides of a polygon crosses any other side.
export function crosses(points, moved) {
  const count = points.length;
  const sides = new Set();
  for (const i of moved) {
    sides.add(i);
    sides.add((i + count - 1) % count);
  }
  for (const i of sides) {
    const [a, b] = [points[i], points[(i + 1) % count]];
    const [left, right] = a[0] < b[0] ? [a[0], b[0]] : [b[0], a[0]];
    const [top, bottom] = a[1] < b[1] ? [a[1], b[1]] : [b[1], a[1]];
    for (let j = 0; j < count; j++) {
      const [c, d] = [points[j], points[(j + 1) % count]];
      if (Math.max(c[0], d[0]) < left || Math.min(c[0], d[0]) > right) continue;
      if (Math.max(c[1], d[1]) < top || Math.min(c[1], d[1]) > bottom) continue;
      const between = Math.abs(i - j);
      if (between > 1 && between < count - 1 && cross(a, b, c, d)) return true;
    }
  }
  return false;
}

function side(a, b, p) {
  return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
}

function cross(a, b, c, d) {
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

// The class on the other side of the outline's point `index`.
export function beyond(mask, rows, cols, [x, y], value) {
  const flat = Number.isInteger(y);
  const pixels = flat ? [[x - 0.5, y], [x + 0.5, y]] : [[x, y - 0.5], [x, y + 0.5]];
  for (const [px, py] of pixels) {
    if (px < 0 || py < 0 || px >= cols || py >= rows) continue;
    const found = mask[py * cols + px];
    if (found !== value) return found;
  }
  return 0;
}

// Moves the border between a class and what lies beyond it from one polygon to another, in place.
export function redraw(mask, rows, cols, before, after, hole, value, other) {
  const ys = [...before, ...after].map((point) => point[1]);
  const top = Math.max(0, Math.floor(ys.reduce((a, b) => Math.min(a, b))));
  const bottom = Math.min(rows - 1, Math.ceil(ys.reduce((a, b) => Math.max(a, b))));
  const [old, made] = [crossings(before, top, bottom), crossings(after, top, bottom)];
  for (let y = top; y <= bottom; y++) {
    const [was, is] = [old[y - top], made[y - top]];
    const marks = [...was, ...is].sort((a, b) => a - b);
    for (let k = 0; k + 1 < marks.length; k++) {
      const first = Math.max(0, Math.ceil(marks[k]));
      const last = Math.min(cols - 1, Math.ceil(marks[k + 1]) - 1);
      if (first > last) continue;
      const middle = (marks[k] + marks[k + 1]) / 2;
      const [wasIn, isIn] = [within(was, middle), within(is, middle)];
      if (wasIn === isIn) continue;
      const grown = isIn !== hole;
      for (let i = y * cols + first; i <= y * cols + last; i++) {
        if (grown && (mask[i] === other || mask[i] === 0)) mask[i] = value;
        else if (!grown && mask[i] === value) mask[i] = other;
      }
    }
  }
}

function crossings(points, top, bottom) {
  const rows = Array.from({ length: bottom - top + 1 }, () => []);
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [a, b] = points[j][1] <= points[i][1] ? [points[j], points[i]] : [points[i], points[j]];
    for (let y = Math.max(top, Math.ceil(a[1])); y < b[1] && y <= bottom; y++) {
      rows[y - top].push(a[0] + ((y - a[1]) / (b[1] - a[1])) * (b[0] - a[0]));
    }
  }
  for (const row of rows) row.sort((a, b) => a - b);
  return rows;
}

function within(row, x) {
  let count = 0;
  for (const mark of row) if (mark < x) count++;
  return count % 2 === 1;
}
