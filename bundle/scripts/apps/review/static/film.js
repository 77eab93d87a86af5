// The film in OpenSeadragon: tiles are painted here from its 16-bit grey values, so that a window loses nothing.

const TILE = 512;
const FULL = 65535;

export class Grey {
  constructor(values, rows, cols) {
    this.levels = [{ values, rows, cols }];
    while (Math.max(rows, cols) > TILE) {
      const below = this.levels[0];
      this.levels.unshift(halved(below));
      ({ rows, cols } = this.levels[0]);
    }
    this.table = new Uint8ClampedArray(FULL + 1);
    this.show(0.5, 1, false);
  }

  // Level and width are shares of the film's own display range.
  show(level, width, inverted) {
    const low = (level - width / 2) * FULL;
    const scale = 255 / (width * FULL);
    for (let value = 0; value <= FULL; value++) {
      const shown = (value - low) * scale;
      this.table[value] = inverted ? 255 - shown : shown;
    }
  }

  paint(context, level, tileX, tileY) {
    const { values, rows, cols } = this.levels[level];
    const [left, top] = [tileX * TILE, tileY * TILE];
    const [width, height] = [Math.min(TILE, cols - left), Math.min(TILE, rows - top)];
    const picture = context.createImageData(width, height);
    const shown = new Uint32Array(picture.data.buffer);
    for (let y = 0, at = 0; y < height; y++) {
      const from = (top + y) * cols + left;
      for (let x = 0; x < width; x++, at++) shown[at] = 0xff000000 | (this.table[values[from + x]] * 0x010101);
    }
    context.putImageData(picture, 0, 0);
  }

  source() {
    const grey = this;
    const { rows, cols } = this.levels[this.levels.length - 1];
    const source = new OpenSeadragon.TileSource({ width: cols, height: rows, tileSize: TILE, minLevel: 0, maxLevel: this.levels.length - 1 });
    source.getTileUrl = (level, x, y) => `film:${level}/${x}/${y}`;
    source.getTilePostData = (level, x, y) => ({ level, x, y });
    source.getTileHashKey = (level, x, y) => `film:${level}/${x}/${y}`;
    source.hasTransparency = () => false;
    source.downloadTileStart = (job) => {
      const { level, x, y } = job.postData;
      const size = grey.levels[level];
      const canvas = document.createElement("canvas");
      canvas.width = Math.min(TILE, size.cols - x * TILE);
      canvas.height = Math.min(TILE, size.rows - y * TILE);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      grey.paint(context, level, x, y);
      job.finish(context, null, "context2d");
    };
    source.downloadTileAbort = () => {};
    return source;
  }
}

function halved({ values, rows, cols }) {
  const [newRows, newCols] = [Math.ceil(rows / 2), Math.ceil(cols / 2)];
  const made = new Uint16Array(newRows * newCols);
  for (let y = 0; y < newRows; y++) {
    const [one, other] = [2 * y * cols, Math.min(2 * y + 1, rows - 1) * cols];
    for (let x = 0; x < newCols; x++) {
      const [a, b] = [2 * x, Math.min(2 * x + 1, cols - 1)];
      made[y * newCols + x] = (values[one + a] + values[one + b] + values[other + a] + values[other + b]) >> 2;
    }
  }
  return { values: made, rows: newRows, cols: newCols };
}
