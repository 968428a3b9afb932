// Text from numbers, and elements from text. Nothing here or elsewhere makes markup of data.
"use strict";

/** Make an element: its properties, and children that are elements or text. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Make an SVG element with attributes and children. */
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A number with so many significant digits; "–" where there is none. */
function significant(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1) : value.toPrecision(digits);
  return text.replace(/e\+?(-?)(\d+)$/, "e$1$2").replace("-", "−").replace("e-", "e−");
}

/** A number with so many decimals. */
function fixed(value, decimals) {
  return value === null || value === undefined ? "–" : value.toFixed(decimals).replace("-", "−");
}

/** Right ascension and declination (deg) as 17 45 40.04 −29 00 28.1. */
function sexagesimal(ra, dec) {
  const seconds = Math.round(ra * 24000) % 8640000;
  const arcsec = Math.round(Math.abs(dec) * 36000);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const hours = `${two(seconds / 360000)} ${two((seconds / 6000) % 60)} ${((seconds % 6000) / 100).toFixed(2).padStart(5, "0")}`;
  const degrees = `${two(arcsec / 36000)} ${two((arcsec / 600) % 60)} ${((arcsec % 600) / 10).toFixed(1).padStart(4, "0")}`;
  return `${hours} ${dec < 0 ? "-" : "+"}${degrees}`;
}

// ICRS to Galactic, rows of the rotation matrix (Hipparcos catalogue, ESA SP-1200, vol. 1, 1.5.11).
const GALACTIC = [
  [-0.0548755604, -0.8734370902, -0.4838350155],
  [0.4941094279, -0.4448296300, 0.7469822445],
  [-0.8676661490, -0.1980763734, 0.4559837762],
];

/** Longitude and latitude (deg) of a direction. */
function angles([x, y, z]) {
  const longitude = (Math.atan2(y, x) * 180) / Math.PI;
  return [(longitude + 360) % 360, (Math.atan2(z, Math.hypot(x, y)) * 180) / Math.PI];
}

function toGalactic(direction) {
  return GALACTIC.map((row) => row[0] * direction[0] + row[1] * direction[1] + row[2] * direction[2]);
}

/** Angle on the sky in the unit that suits it. */
function angleText(degrees) {
  const [value, unit] = degrees >= 1 ? [degrees, "°"] : degrees >= 1 / 60 ? [degrees * 60, "′"] : [degrees * 3600, "″"];
  return `${significant(Number(value.toPrecision(3)), 3)}${unit}`;
}

/** The outline of a class's marker within ±1. */
const MARKERS = {
  "^": [[0, -1.15], [1.1, 0.8], [-1.1, 0.8]],
  "s": [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
};

/** The marker of a class as a small picture. */
function sign(kind) {
  const corners = MARKERS[kind.marker];
  const path = corners
    ? `M${corners.map(([x, y]) => `${8 + 5.5 * x} ${8 + 5.5 * y}`).join("L")}Z`
    : "M2.5 8a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0Z";
  return draw(
    "svg",
    { class: "sign", viewBox: "0 0 16 16", "aria-hidden": "true" },
    draw("path", { d: path, class: "edge" }),
    draw("path", { d: path, stroke: kind.colour }),
  );
}
