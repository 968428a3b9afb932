// The map: Leaflet's zoom and pan over tiles that are in the page, and the sky's coordinates.
"use strict";

/** Directions on the sky of the map's pixels, interpolated between the points of a lattice. */
class Lattice {
  constructor({ x, y, directions }) {
    Object.assign(this, { x, y, directions });
  }

  /** The direction of a pixel position, or null off the map or the sky. */
  direction(x, y) {
    const side = this.x.length - 1;
    const u = ((x - this.x[0]) / (this.x[side] - this.x[0])) * side;
    const v = ((y - this.y[0]) / (this.y[side] - this.y[0])) * side;
    if (!(u >= 0 && v >= 0 && u <= side && v <= side)) return null;
    const [i, j] = [Math.min(Math.floor(u), side - 1), Math.min(Math.floor(v), side - 1)];
    const sum = [0, 0, 0];
    for (const [di, dj] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
      const weight = (di ? u - i : 1 - u + i) * (dj ? v - j : 1 - v + j);
      const point = this.directions[(j + dj) * (side + 1) + i + di];
      for (let k = 0; k < 3; k += 1) {
        if (point[k] === null) return null;
        sum[k] += weight * point[k];
      }
    }
    return sum;
  }

  /** Unit vectors of north and east on the pixels at a position; null off the sky. */
  compass(x, y) {
    const step = (this.x[1] - this.x[0]) / 2;
    const [here, right, up] = [[x, y], [x + step, y], [x, y + step]].map(([px, py]) => this.direction(px, py));
    if (!here || !right || !up) return null;
    const [, latitude] = angles(here);
    const [longitude] = angles(here);
    const turn = Math.cos((latitude * Math.PI) / 180);
    const change = (there) => {
      const [lon, lat] = angles(there);
      return [((((lon - longitude + 540) % 360) - 180) * turn), lat - latitude];
    };
    const [[ex, nx], [ey, ny]] = [change(right), change(up)];
    const unit = (dx, dy) => [dx / Math.hypot(dx, dy), dy / Math.hypot(dx, dy)];
    return [unit(nx, ny), unit(ex, ey)];
  }
}

/** A Leaflet layer of tiles that are in the page, all of one size whatever the zoom. */
const PageTiles = L.GridLayer.extend({
  initialize(layer, shape, side, options) {
    L.GridLayer.prototype.initialize.call(this, {
      ...options,
      tileSize: side * layer.factor,
      minZoom: -99,
      minNativeZoom: 0,
      maxNativeZoom: 0,
      bounds: [[-0.5, -0.5], [shape[0] - 0.5, shape[1] - 0.5]],
      noWrap: true,
      keepBuffer: 100,
    });
    this.layer = layer;
  },

  createTile({ x, y }, done) {
    const source = this.layer.tiles[`${x},${y}`];
    const tile = make("div");
    if (!source) {
      setTimeout(done, 0, null, tile);
      return tile;
    }
    const image = make("img", { alt: "", draggable: false });
    image.onload = () => {
      image.style.width = `${image.naturalWidth * this.layer.factor}px`;
      done(null, tile);
    };
    image.onerror = () => done(new Error("a tile cannot be shown"), tile);
    image.src = source;
    tile.append(image);
    return tile;
  },
});

class SkyMap {
  constructor(report, { choose }) {
    this.report = report;
    const [rows, columns] = report.data.shape;
    this.bounds = L.latLngBounds([-0.5, -0.5], [rows - 0.5, columns - 0.5]);
    this.map = L.map("map", {
      // Pixel (0, 0) is the middle of the first one, rows count upwards, tiles from the top.
      crs: L.extend({}, L.CRS.Simple, { transformation: new L.Transformation(1, 0.5, -1, rows - 0.5) }),
      zoomAnimation: false,
      fadeAnimation: false,
      zoomSnap: 0.25,
      zoomDelta: 0.5,
      minZoom: -8,
      maxZoom: 7,
      maxBounds: this.bounds.pad(0.4),
      inertia: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    });
    this.map.attributionControl.setPrefix("Leaflet");
    this.addPanes();
    this.overlay = new SourceOverlay(this.map, report);
    this.whole();
    this.map.setMinZoom(Math.min(this.map.getZoom() - 1, 0));
    new ResizeObserver(() => this.refit()).observe(this.map.getContainer());
    this.map.on("zoom", () => this.sharpen());
    this.sharpen();
    this.listen(choose);
    this.addTools();
  }

  addPanes() {
    for (const [name, level] of [["blank", 150], ["base", 200], ["classes", 300]])
      this.map.createPane(name).style.zIndex = level;
    L.rectangle(this.bounds, {
      pane: "blank", renderer: L.svg({ pane: "blank" }), interactive: false, stroke: false, fillColor: "#8c7373", fillOpacity: 1,
    }).addTo(this.map);
  }

  /** Show pixels as they are where they are large. */
  sharpen() {
    this.map.getContainer().classList.toggle("pixels", this.map.getZoom() > 0.5);
  }

  /** Tell Leaflet that the map's box may have changed. */
  refit() {
    this.map.invalidateSize({ pan: false });
  }

  whole() {
    this.map.fitBounds(this.bounds, { animate: false });
  }

  listen(choose) {
    this.map.on("click", (event) => {
      const row = this.overlay.nearest(event.containerPoint);
      if (row >= 0) choose(row, "map");
    });
    this.map.on("mousemove", (event) => {
      const row = this.overlay.nearest(event.containerPoint);
      this.map.getContainer().classList.toggle("over-source", row >= 0);
      this.tell(event.latlng, row);
    });
    this.map.on("mouseout", () => this.tell(null, -1));
  }

  /** Say where the pointer is. */
  tell(place, row) {
    const line = document.getElementById("pointer");
    const direction = place && this.report.lattice.direction(place.lng, place.lat);
    if (!direction) {
      line.textContent = "";
      return;
    }
    const decimals = Math.max(2, Math.ceil(-Math.log10(this.report.data.pixelScale)) + 1);
    const [ra, dec] = angles(direction).map((value) => fixed(value, decimals));
    const [l, b] = angles(toGalactic(direction)).map((value) => fixed(value, decimals));
    const name = row >= 0 ? `${this.report.shortNames[row]}  ·  ` : "";
    line.textContent = `${name}RA ${ra}°  Dec ${dec}°  ·  l ${l}°  b ${b}°  ·  pixel ${fixed(place.lng, 1)}, ${fixed(place.lat, 1)}`;
  }

  /** Bring a source to the middle. */
  goTo(row) {
    const { x, y } = this.report.data.outlines;
    if (x[row] === null) return;
    const fit = this.map.getBoundsZoom(this.bounds);
    const zoom = Math.max(this.map.getZoom(), fit + 1);
    this.map.setView([y[row], x[row]], zoom, { animate: false });
  }

  addTools() {
    const layers = this.report.layers;
    const pick = (id, chosen, none) => {
      const select = document.getElementById(id);
      const shown = [...layers.keys()].filter((number) => layers[number].overlay === (id === "overlay"));
      if (none) select.append(make("option", { value: "" }, none));
      for (const number of shown) select.append(make("option", { value: String(number) }, layers[number].name));
      select.value = chosen;
      return select;
    };
    this.base = pick("base", "0", "");
    this.classes = pick("overlay", "", "none");
    this.base.onchange = () => this.show("base", this.base.value);
    this.classes.onchange = () => this.show("classes", this.classes.value);
    this.show("base", this.base.value);
    const control = (id, event, action) => document.getElementById(id).addEventListener(event, (e) => action(e.target));
    control("whole", "click", () => this.whole());
    control("draw-sources", "change", ({ checked }) => this.redraw({ visible: checked }));
    control("draw-names", "change", ({ checked }) => this.redraw({ names: checked }));
    control("invert", "change", () => this.tint());
    control("brightness", "input", () => this.tint());
    control("opacity", "input", ({ value }) => { this.map.getPane("classes").style.opacity = value; });
  }

  redraw(settings = {}) {
    Object.assign(this.overlay, settings);
    this.overlay.draw();
  }

  tint() {
    const invert = document.getElementById("invert").checked;
    const light = 2 ** Number(document.getElementById("brightness").value);
    this.map.getPane("base").style.filter = invert || light !== 1 ? `brightness(${light}) invert(${invert ? 1 : 0})` : "";
    this.redraw({ dark: !invert });
  }

  /** Put a layer into a pane in the place of what is there; the old one goes when the new is drawn. */
  show(pane, number) {
    const old = this[`shown_${pane}`];
    const layer = this.report.layers[number];
    const tiles = layer && new PageTiles(layer, this.report.data.shape, this.report.data.tile, { pane });
    this[`shown_${pane}`] = tiles;
    if (!tiles) {
      old?.remove();
      return;
    }
    tiles.on("load", () => old?.remove());
    tiles.addTo(this.map);
  }
}
