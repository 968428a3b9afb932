// One source: coordinates to copy, cutout, spectrum, class probabilities, flags and every column.
"use strict";

const CUTOUT = 180; // pixels of the screen

class Details {
  constructor(report, sky) {
    this.report = report;
    this.sky = sky;
    this.box = document.getElementById("details");
    this.images = new Map();
    this.box.append(make("p", { className: "empty" }, report.names.length ? "Click a source on the map or a row of the table." : "The catalogue is empty."));
  }

  show(row) {
    const report = this.report;
    const kind = report.data.classes[report.classOf[row]];
    const head = make(
      "div", { className: "head" },
      make("h2", {}, report.names[row]),
      make("span", {}, sign(kind), `${kind.name}, ${fixed(report.classProbability[row], 2)}`),
      make("span", {}, `P(source) ${fixed(report.column("SOURCE_PROB").values[row], 3)}`),
      make("span", {}, `${report.strengthTitle} ${significant(report.strength[row], 3)}`),
    );
    const parts = make("div", { className: "parts" }, this.coordinates(row), this.cutout(row), this.spectrum(row), make("div", {}, this.classes(row), this.flags(row)));
    this.box.replaceChildren(head, parts, this.everything(row));
    this.box.classList.add("filled");
    this.box.scrollTop = 0;
  }

  coordinates(row) {
    const { report } = this;
    const value = (...names) => names.map((name) => report.column(name).values[row]);
    const [ra, dec] = value(...report.position);
    const [l, b] = value("GLON", "GLAT");
    const plain = (number) => number.toFixed(6);
    const grid = make("div", { className: "copies" });
    const rows = [
      ["RA, Dec (ICRS, °)", `${plain(ra)} ${plain(dec)}`],
      ["RA, Dec (ICRS)", sexagesimal(ra, dec)],
      ["l, b (Galactic, °)", `${plain(l)} ${plain(b)}`],
    ];
    for (const [name, text] of rows) {
      const button = make("button", { type: "button", "aria-label": `Copy ${name}` }, "Copy");
      button.addEventListener("click", () => copy(text, button));
      grid.append(make("span", {}, name), make("span", { className: "position" }, text), button);
    }
    return make("div", {}, grid, this.measures(row));
  }

  /** The numbers people look for first. */
  measures(row) {
    const { report } = this;
    const wanted = report.data.kind === "counts"
      ? [["FLUX1000", "Unc_Flux1000"], ["Npred"], ["PL_Index", "Unc_PL_Index"], ["LP_beta", "Unc_LP_beta"], ["Conf_95_SemiMajor"], ["Extension"]]
      : [["peak_flux", "e_peak_flux"], ["int_flux", "e_int_flux"], ["maj", "e_maj"], ["min", "e_min"], ["alpha", "e_alpha"], ["v_over_i", "e_v_over_i"]];
    const body = make("tbody");
    for (const [name, error] of wanted) {
      const column = report.column(name);
      const value = column.values[row];
      if (value === null || (value === 0 && column.unit === "deg")) continue;
      const spread = error ? report.column(error).values[row] : null;
      const text = measureText(value, spread, column.unit);
      body.append(make("tr", {}, make("th", { scope: "row", title: column.meaning }, name), make("td", {}, text)));
    }
    return make("table", { className: "values" }, body);
  }

  spectrum(row) {
    const counts = this.report.data.kind === "counts";
    const points = counts ? bandSpectrum(this.report, row) : null;
    const chart = counts ? points && drawBandSpectrum(points) : drawRadioSpectrum(this.report, row);
    if (!chart) return make("p", { className: "empty" }, counts ? "No fluxes: the catalogue was made without an exposure." : "No flux density to draw.");
    const slope = counts ? null : this.report.column("alpha").values[row];
    const text = counts
      ? "Each band fitted freely; arrows: flux plus twice its error, where √TS < 2."
      : slope === null ? "Integrated flux density; its spectral index is not known." : `Spectral index ${fixed(slope, 2)} (dashed).`;
    return make("figure", {}, chart, make("figcaption", {}, text));
  }

  classes(row) {
    return make("figure", {}, drawClassBars(this.report, row), make("figcaption", {}, "Filled: with priors. Dashed outline: likelihood, without."));
  }

  flags(row) {
    const raised = this.report.data.flags.filter(({ bit }) => this.report.column("Flags").values[row] & bit);
    const box = make("div", {}, make("h3", {}, raised.length ? "Flags" : "No flags"));
    const list = make("ul");
    for (const { name, meaning } of raised) list.append(make("li", {}, make("b", {}, name), `: ${meaning}`));
    if (raised.length) box.append(list);
    return box;
  }

  everything(row) {
    const body = make("tbody");
    for (const { name, unit, meaning, values } of this.report.data.columns) {
      const value = values[row];
      const text = Array.isArray(value) ? value.map((one) => significant(one, 4)).join(", ") : value === null ? "–" : String(value);
      body.append(make("tr", {}, make("th", { scope: "row" }, name), make("td", { className: "value" }, text), make("td", {}, unit), make("td", {}, meaning)));
    }
    return make("details", {}, make("summary", {}, "All columns"), make("table", { className: "values" }, body));
  }

  /** The map around the source, from the tiles of the layer that is shown. */
  cutout(row) {
    const { x, y, a } = this.report.data.outlines;
    const canvas = make("canvas", { width: 2 * CUTOUT, height: 2 * CUTOUT, role: "img", "aria-label": "The map around the source" });
    canvas.style.width = canvas.style.height = `${CUTOUT}px`;
    if (x[row] === null) return make("p", { className: "empty" }, "It lies off the map.");
    const half = Math.max(12, 4 * a[row]);
    const layer = this.report.layers[this.sky.base.value];
    const caption = make("figcaption", {}, `${layer.name}; ${angleText(2 * half * this.report.data.pixelScale)} a side`);
    if (layer) this.paint(canvas, layer, row, half);
    return make("figure", {}, canvas, caption);
  }

  async paint(canvas, layer, row, half) {
    const { x, y, a, b, t } = this.report.data.outlines;
    const pen = canvas.getContext("2d");
    const scale = canvas.width / (2 * half);
    const side = this.report.data.tile * layer.factor;
    // Positions from the left and top edges of the map, pixels.
    const [left, top] = [x[row] + 0.5 - half, this.report.data.shape[0] - 0.5 - y[row] - half];
    const places = [];
    for (let column = Math.floor(left / side); column * side < left + 2 * half; column += 1)
      for (let line = Math.floor(top / side); line * side < top + 2 * half; line += 1) places.push([column, line]);
    const images = await Promise.all(places.map(([column, line]) => this.load(layer, `${column},${line}`)));
    pen.imageSmoothingEnabled = false;
    images.forEach((image, k) => {
      if (!image) return;
      const [column, line] = places[k];
      pen.drawImage(
        image, scale * (column * side - left), scale * (line * side - top),
        scale * image.naturalWidth * layer.factor, scale * image.naturalHeight * layer.factor,
      );
    });
    const centre = canvas.width / 2;
    for (const [color, width] of [["#000b", 6], [this.report.data.classes[this.report.classOf[row]].colour, 3]]) {
      pen.strokeStyle = color;
      pen.lineWidth = width;
      pen.beginPath();
      const reach = Math.max(scale * a[row], 14);
      pen.ellipse(centre, centre, reach, Math.max(scale * b[row], scale * a[row] > 14 ? 3 : 14), -t[row], 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  load(layer, place) {
    const source = layer.tiles[place];
    if (!source) return Promise.resolve(null);
    if (!this.images.has(source)) {
      const image = new Image();
      image.src = source;
      this.images.set(source, image.decode().then(() => image));
    }
    return this.images.get(source);
  }
}

/** A value with its error, in degrees, minutes or seconds, Jy or mJy, whatever suits its size. */
function measureText(value, spread, unit) {
  if (unit === "deg") return spread === null ? angleText(value) : `${angleText(value)} ± ${angleText(spread)}`;
  const milli = unit.startsWith("Jy") && Math.abs(value) < 1;
  const text = (number) => significant(number * (milli ? 1e3 : 1), 3);
  return `${text(value)}${spread === null ? "" : ` ± ${text(spread)}`} ${milli ? "m" : ""}${unit}`;
}

/** Put text on the clipboard and say so on the button. */
async function copy(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = done ? "Copied" : "Failed";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}
