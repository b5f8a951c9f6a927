/** Small drawings of our own: lines without axes. */

/** The colours of the theme, read when it changes and not with every stroke. */
let palette: Record<string, string> = {};

export function readPalette(): void {
  const style = getComputedStyle(document.documentElement);
  const names = ["bg", "panel", "line", "text", "dim", "ok", "warn", "bad", "up", "down", "mark"];
  palette = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

export function colour(name: string): string {
  return palette[name] ?? "#888888";
}

/** One line over the whole canvas, scaled to itself; a flat one lies in the middle. */
export function drawSpark(canvas: HTMLCanvasElement, values: readonly number[]): void {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length < 2) return;
  const low = Math.min(...known);
  const span = Math.max(...known) - low;
  pen.strokeStyle = colour((known.at(-1) ?? 0) < (known[0] ?? 0) ? "down" : "up");
  pen.lineWidth = 2;
  stroke(pen, values, (at) => (at / Math.max(1, values.length - 1)) * (width - 4) + 2, (value) =>
    span === 0 ? height / 2 : height - 3 - ((value - low) / span) * (height - 6),
  );
}

export interface Line {
  readonly values: readonly (number | null)[];
  readonly colour: string;
  readonly dash: readonly number[];
}

/** Several lines between 0 and 1, with the half marked. */
export function drawShares(canvas: HTMLCanvasElement, lines: readonly Line[]): void {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (width === 0 || height === 0) return;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.clearRect(0, 0, width, height);
  pen.strokeStyle = colour("line");
  pen.lineWidth = ratio;
  for (const level of [0, 0.5, 1]) {
    const y = Math.round(height - 2 - level * (height - 4)) + 0.5;
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(width, y);
    pen.stroke();
  }
  for (const line of lines) {
    pen.strokeStyle = colour(line.colour);
    pen.lineWidth = 1.5 * ratio;
    pen.setLineDash(line.dash.map((length) => length * ratio));
    stroke(pen, line.values.map((value) => value ?? Number.NaN),
      (at) => (at / Math.max(1, line.values.length - 1)) * width,
      (value) => height - 2 - Math.min(1, Math.max(0, value)) * (height - 4),
    );
  }
  pen.setLineDash([]);
}

function stroke(
  pen: CanvasRenderingContext2D,
  values: readonly number[],
  x: (at: number) => number,
  y: (value: number) => number,
): void {
  let open = false;
  pen.beginPath();
  values.forEach((value, at) => {
    if (Number.isNaN(value)) {
      open = false;
      return;
    }
    if (open) pen.lineTo(x(at), y(value));
    else pen.moveTo(x(at), y(value));
    open = true;
  });
  pen.stroke();
}
