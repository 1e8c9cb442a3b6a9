/** A line of a plot. */
export interface Series {
  readonly name: string;
  /** Index in `LINES`, consistent across plots. */
  readonly look: number;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Lines over two axes. */
export interface Plot {
  readonly title: string;
  readonly x: { readonly label: string; readonly log?: boolean };
  readonly y: { readonly label: string; readonly log?: boolean };
  readonly series: readonly Series[];
  /** A shaded span of x, with a label. */
  readonly span?: { readonly from: number; readonly until: number; readonly name: string };
}

const WIDTH = 760;
const HEIGHT = 400;
const LEFT = 82;
const RIGHT = 20;
const TOP = 66;
const BOTTOM = 52;

/** Colours for light and dark backgrounds. */
export const LINES = [
  { light: "#57606a", dark: "#9aa4ae", dash: "2 3" },
  { light: "#bc4c00", dark: "#f0883e", dash: "none" },
  { light: "#0550ae", dark: "#58a6ff", dash: "none" },
  { light: "#116329", dark: "#3fb950", dash: "7 3" },
  { light: "#8250df", dark: "#bc8cff", dash: "7 2 2 2" },
] as const;

/** Renders an SVG that follows the reader's light or dark setting. */
export function drawPlot(plot: Plot): string {
  const { title, x, y, series, span } = plot;
  const points = series.flatMap(({ points }) => points);
  const across = axis(points.map(([value]) => value), { log: x.log, tight: true });
  const up = axis(points.map(([, value]) => value), { log: y.log, tight: false });
  const px = (value: number) => LEFT + (WIDTH - LEFT - RIGHT) * across.place(value);
  const py = (value: number) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up.place(value);
  const parts: string[] = [];

  if (span !== undefined) {
    const from = px(span.from);
    const width = px(span.until) - from;
    parts.push(
      `<rect class="span" ${box(from, TOP, width, HEIGHT - TOP - BOTTOM)}/>`,
      text(from + width / 2, TOP + 15, span.name, "middle"),
    );
  }
  for (const tick of up.ticks) {
    parts.push(
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" ${both("y", py(tick))}/>`,
      text(LEFT - 8, py(tick) + 4, label(tick), "end"),
    );
  }
  for (const tick of across.ticks) {
    parts.push(
      `<line class="tick" ${both("x", px(tick))} y1="${HEIGHT - BOTTOM}" y2="${
        HEIGHT - BOTTOM + 5
      }"/>`,
      text(px(tick), HEIGHT - BOTTOM + 19, label(tick), "middle"),
    );
  }
  parts.push(
    `<path class="axis" d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>`,
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x.label, "middle"),
    `<text transform="translate(18 ${
      (TOP + HEIGHT - BOTTOM) / 2
    }) rotate(-90)" text-anchor="middle">${escape(y.label)}</text>`,
    `<text class="title" x="${LEFT}" y="24">${escape(title)}</text>`,
  );
  let legendAt = LEFT;
  series.forEach(({ name, look, points }) => {
    const path = points.map(([a, b], j) => `${j === 0 ? "M" : "L"}${round(px(a))} ${round(py(b))}`);
    parts.push(
      `<path class="line l${look}" d="${path.join("")}"/>`,
      `<path class="line l${look}" d="M${legendAt} 46h26"/>`,
      text(legendAt + 32, 50, name, "start"),
    );
    legendAt += 32 + 26 + 7 * name.length;
  });
  return document(title, parts);
}

function document(title: string, parts: readonly string[]): string {
  const colours = (scheme: "light" | "dark") =>
    LINES.map((line, i) => `.l${i}{stroke:${line[scheme]}}`).join("");
  const dashes = LINES.map(({ dash }, i) => `.l${i}{stroke-dasharray:${dash}}`).join("");
  const size = `viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escape(title)}">
<style>
.paper{fill:#fff}.axis,.tick{stroke:#57606a;fill:none}.grid{stroke:#d8dee4}.span{fill:#eaeef2}
text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:16px;font-weight:600}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}${colours("light")}${dashes}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117}text{fill:#e6edf3}.axis,.tick{stroke:#8b949e}
.grid{stroke:#30363d}.span{fill:#1c2430}${colours("dark")}}
</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>
${parts.join("\n")}
</svg>
`;
}

/** Positions of values on an axis (0 to 1), and its labels. */
function axis(
  values: readonly number[],
  { log = false, tight }: { log?: boolean | undefined; tight: boolean },
): { place: (value: number) => number; ticks: number[] } {
  if (log) {
    const positive = values.filter((value) => value > 0);
    const low = Math.floor(Math.log10(Math.min(...positive)));
    const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
    return {
      place: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low),
      ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
    };
  }
  const low = tight ? Math.min(...values) : 0;
  const most = Math.max(...values, low + 1e-9);
  const raw = (most - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= raw)!;
  const high = tight ? most : Math.ceil(most / step) * step;
  const first = Math.ceil(low / step);
  return {
    place: (value) => (value - low) / (high - low),
    ticks: Array.from(
      { length: Math.floor(high / step + 1e-9) - first + 1 },
      (_, i) => (first + i) * step,
    ),
  };
}

function label(value: number): string {
  const [divisor, unit] = value >= 1e6 ? [1e6, " M"] : value >= 1e4 ? [1e3, " k"] : [1, ""];
  return `${Number((value / divisor).toPrecision(6)).toLocaleString("en-US")}${unit}`;
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function box(x: number, y: number, width: number, height: number): string {
  return `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
}

function both(name: "x" | "y", value: number): string {
  return `${name}1="${round(value)}" ${name}2="${round(value)}"`;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
