/** Style. Contrast: texts 4.5 : 1, areas 3 : 1. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #ffffff; --raised: #f6f8fa; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de;
  --focus: #0550ae; --good: #116329; --doubt: #7d4e00; --bad: #a40e26;
  --c0: #1a7f37; --c1: #9a6700; --c2: #0969da; --c3: #8250df; --c4: #bf3989; --c5: #1b7c83;
  --c6: #57606a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0d1117; --raised: #161b22; --text: #e6edf3; --quiet: #9da7b3; --line: #30363d;
    --focus: #6cb6ff; --good: #56d364; --doubt: #e3b341; --bad: #ff7b72;
    --c0: #3fb950; --c1: #d29922; --c2: #58a6ff; --c3: #bc8cff; --c4: #f778ba; --c5: #39c5cf;
    --c6: #8b949e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 0 1rem 2rem; max-width: 76rem; background: var(--back);
  color: var(--text); font: 0.9375rem/1.45 system-ui, sans-serif;
}
h1 { font-size: 1.375rem; margin: 0; }
h2 { font-size: 1.0625rem; margin: 1.75rem 0 0.5rem; }
a { color: var(--focus); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
header {
  display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 1rem; padding: 0.75rem 0;
  border-bottom: 1px solid var(--line);
}
header p { margin: 0; color: var(--quiet); }
#state { margin-left: auto; font-weight: 600; color: var(--good); }
.stale #state { color: var(--bad); }
.paused #state { color: var(--doubt); }
.stale main { border-left: 4px solid var(--bad); padding-left: 0.75rem; }
.paused main { border-left: 4px dashed var(--doubt); padding-left: 0.75rem; }
button {
  font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--quiet);
  border-radius: 6px; padding: 0.2rem 0.8rem; min-height: 1.75rem; cursor: pointer;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.25rem, 1fr)); gap: 0.5rem; margin: 0; }
.tiles div { background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: 0.5rem 0.75rem; }
dt { color: var(--quiet); font-size: 0.8125rem; }
dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; display: flex; justify-content: space-between; gap: 1rem; }
figcaption span { color: var(--quiet); font-weight: 400; font-variant-numeric: tabular-nums; }
svg.chart { display: block; width: 100%; height: 8rem; background: var(--raised); border: 1px solid var(--line); border-radius: 6px; }
.grid { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.chart path { vector-effect: non-scaling-stroke; }
.area { stroke: var(--back); stroke-width: 0.5; }
.trace { fill: none; stroke-width: 2; }
.f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); }
.f4 { fill: var(--c4); } .f5 { fill: var(--c5); } .f6 { fill: var(--c6); }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); }
.d1 { stroke-dasharray: 6 3; } .d2 { stroke-dasharray: 2 3; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; margin: 0.25rem 0 0; padding: 0; font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.legend svg { width: 1.25rem; height: 0.75rem; margin-right: 0.35rem; vertical-align: -0.05rem; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 0 1.5rem; }
.scroll { overflow-x: auto; margin: 0 0 1rem; min-width: 0; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: 0.25rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.6rem 0.2rem 0; border-top: 1px solid var(--line); font-weight: 400; unicode-bidi: isolate; }
thead th { color: var(--quiet); font-size: 0.8125rem; border-top: 0; white-space: nowrap; }
tbody th { overflow-wrap: anywhere; min-width: 9rem; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; padding-right: 0.75rem; }
.none { color: var(--quiet); }
.good { color: var(--good); } .doubt { color: var(--doubt); } .bad { color: var(--bad); font-weight: 600; }
.note { color: var(--quiet); max-width: 46rem; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem; margin: 0.5rem 0; overflow: auto; max-height: 30rem; font: 0.8125rem/1.5 ui-monospace, monospace; tab-size: 4; }
summary { cursor: pointer; padding: 0.2rem 0; }
[hidden] { display: none; }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
@media (forced-colors: active) { .area, .trace, .legend path { forced-color-adjust: none; } }
`;
