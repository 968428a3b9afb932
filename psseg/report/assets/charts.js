// Small drawings of one source: its spectrum, and the probabilities of its class.
"use strict";

const CHART = { width: 330, height: 190, left: 56, right: 10, top: 8, bottom: 36 };

/** A decimal power within text: 10⁻⁹. */
function powerOfTen(power) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const text = [...String(Math.abs(power))].map((digit) => digits[digit]).join("");
  return `10${power < 0 ? "⁻" : ""}${text}`;
}

/** Round positions on a logarithmic axis, with their texts. */
function ticks(low, high) {
  const decades = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) decades.push(power);
  const fine = [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8];
  const factors = high - low > 1.6 ? [1] : high - low > 0.7 ? [1, 3] : high - low > 0.35 ? [1, 1.5, 2, 3, 4, 5, 7] : fine;
  const all = decades.flatMap((power) => factors.map((factor) => ({ at: power + Math.log10(factor), power, factor })));
  const inside = all.filter(({ at }) => at >= low && at <= high);
  const every = Math.ceil(inside.length / 6);
  return inside.filter((_, k) => k % every === 0);
}

function tickText({ power, factor }) {
  if (power >= -2 && power <= 3) return String(Number((factor * 10 ** power).toPrecision(2)));
  return factor === 1 ? powerOfTen(power) : `${factor}·${powerOfTen(power)}`;
}

/** Axes that are logarithmic both ways; gives the drawing and the functions from values to it. */
function logAxes({ xRange, yRange, xTitle, yTitle, label }) {
  const { width, height, left, right, top, bottom } = CHART;
  const [x0, x1] = xRange.map(Math.log10);
  const [y0, y1] = yRange.map(Math.log10);
  const x = (value) => left + ((Math.log10(value) - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => height - bottom - ((Math.log10(value) - y0) / (y1 - y0)) * (height - top - bottom);
  const svg = draw("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const tick of ticks(x0, x1)) {
    const at = x(10 ** tick.at);
    svg.append(draw("line", { class: "grid", x1: at, x2: at, y1: top, y2: height - bottom }));
    svg.append(draw("text", { x: at, y: height - bottom + 13, "text-anchor": "middle" }, tickText(tick)));
  }
  for (const tick of ticks(y0, y1)) {
    const at = y(10 ** tick.at);
    svg.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }));
    svg.append(draw("text", { x: left - 4, y: at + 4, "text-anchor": "end" }, tickText(tick)));
  }
  svg.append(draw("rect", { class: "axis", x: left, y: top, width: width - left - right, height: height - top - bottom }));
  svg.append(draw("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, xTitle));
  const middle = (top + height - bottom) / 2;
  svg.append(draw("text", { x: 11, y: middle, "text-anchor": "middle", transform: `rotate(-90 11 ${middle})` }, yTitle));
  return { svg, x, y };
}

function whisker(svg, x1, y1, x2, y2) {
  svg.append(draw("line", { class: "point", x1, y1, x2, y2 }));
}

/** E² dN/dE at an energy, of a power law with one photon between two energies. */
function perPhoton(index, low, high, energy) {
  const rise = 1 - index;
  const log = Math.log(high / low);
  // ∫ (E'/E)^-Γ dE' / E, also where Γ is 1 and it becomes a logarithm.
  const total = (low / energy) ** rise * (Math.abs(rise * log) < 1e-6 ? log : Math.expm1(rise * log) / rise);
  return energy / total;
}

/** E² dN/dE of each band (GeV cm⁻² s⁻¹), or null where there are no fluxes. */
function bandSpectrum(report, row) {
  const bands = report.data.tables.find(({ name }) => name === "SURVEY");
  const edge = (name) => bands?.columns.find((column) => column.name === name)?.values;
  const [low, high] = [edge("E_MIN"), edge("E_MAX")];
  const [flux, error, strength] = ["Flux_Band", "Unc_Flux_Band", "Sqrt_TS_Band"].map((name) => report.column(name).values[row]);
  if (!low || !high || !flux || flux.length !== low.length) return null;
  const index = report.column("PL_Index")?.values[row] ?? 2;
  const points = flux.map((value, band) => {
    if (value === null) return null;
    const energy = Math.sqrt(low[band] * high[band]);
    const factor = perPhoton(index, low[band], high[band], energy);
    const up = (error[band] ?? 0) * factor;
    const limit = !(strength[band] >= 2) || value <= 0;
    const top = value * factor + (limit ? 2 * up : up);
    return { energy, low: low[band], high: high[band], value: value * factor, up, top, limit };
  });
  const seen = points.filter((point) => point && point.top > 0);
  return seen.length ? seen : null;
}

function drawBandSpectrum(points) {
  const tops = points.map(({ top }) => top);
  const bottoms = points.map(({ value, up, limit, top }) => (limit ? top / 2.5 : Math.max(value - up, value / 4)));
  const { svg, x, y } = logAxes({
    xRange: [Math.min(...points.map(({ low }) => low)) / 1.15, Math.max(...points.map(({ high }) => high)) * 1.15],
    yRange: [Math.min(...bottoms) / 1.4, Math.max(...tops) * 1.4],
    xTitle: "Energy (GeV)", yTitle: "E² dN/dE (GeV cm⁻² s⁻¹)", label: "Spectrum",
  });
  points.forEach(({ energy, low, high, value, up, top, limit }, k) => {
    const level = limit ? top : value;
    whisker(svg, x(low), y(level), x(high), y(level));
    if (limit) {
      const tip = y(top / 2);
      svg.append(draw("path", { class: "point", d: `M${x(energy)} ${y(top)}V${tip}m-4 -5l4 6l4 -6` }));
    } else {
      whisker(svg, x(energy), y(top), x(energy), y(Math.max(value - up, bottoms[k])));
      svg.append(draw("circle", { class: "point", cx: x(energy), cy: y(value), r: 3 }));
    }
  });
  return svg;
}

/** Flux density against frequency: the point that was measured, and the slope where it is known. */
function drawRadioSpectrum(report, row) {
  const value = (name) => report.column(name).values[row];
  const [frequency, flux, error, slope] = ["freq", "int_flux", "e_int_flux", "alpha"].map(value);
  if (!(flux > 0) || !(frequency > 0)) return null;
  const planes = report.data.tables.find(({ name }) => name === "SURVEY")?.columns.find(({ name }) => name === "FREQ")?.values || [];
  const known = planes.filter((other) => other > 0);
  const ends = [Math.min(frequency, ...known) / 1.3, Math.max(frequency, ...known) * 1.3].map((end) => end / 1e9);
  const at = (end) => flux * 1e3 * (end / (frequency / 1e9)) ** (slope ?? 0);
  const [low, high] = [Math.max(flux - (error ?? 0), flux / 3) * 1e3, (flux + (error ?? 0)) * 1e3];
  const levels = slope === null ? [low, high] : [low, high, ...ends.map(at)];
  const { svg, x, y } = logAxes({
    xRange: ends, yRange: [Math.min(...levels) / 1.3, Math.max(...levels) * 1.3],
    xTitle: "Frequency (GHz)", yTitle: "Flux density (mJy)", label: "Flux density",
  });
  if (slope !== null) svg.append(draw("line", { class: "line", x1: x(ends[0]), y1: y(at(ends[0])), x2: x(ends[1]), y2: y(at(ends[1])) }));
  const here = frequency / 1e9;
  whisker(svg, x(here), y(low), x(here), y(high));
  svg.append(draw("circle", { class: "point", cx: x(here), cy: y(flux * 1e3), r: 3.5 }));
  return svg;
}

/** Bars of the class probabilities: filled with priors, outlined without. */
function drawClassBars(report, row) {
  const [width, height] = [250, 34 * report.data.classes.length];
  const svg = draw("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Class probabilities" });
  report.data.classes.forEach((kind, k) => {
    const [prior, plain] = ["P", "L"].map((prefix) => report.column(`${prefix}_${kind.name.toUpperCase()}`).values[row] ?? 0);
    const top = 34 * k + 4;
    svg.append(draw("text", { x: 58, y: top + 16, "text-anchor": "end" }, kind.name));
    svg.append(draw("rect", { class: "bar", x: 66, y: top + 3, width: 140 * prior, height: 18, fill: kind.colour }));
    svg.append(draw("rect", { class: "bar-outline", x: 66, y: top, width: 140 * plain, height: 24, "stroke-dasharray": "3 2" }));
    svg.append(draw("text", { x: 214, y: top + 16 }, prior.toFixed(3)));
  });
  return svg;
}
