// The sources on the map: a canvas over Leaflet's, drawn anew whenever the map moves.
"use strict";

const MARKER = 6.5; // pixels of the screen from a marker's middle to its edge
const SMALLEST_MARKER = 2.5;
const CATCH = 14; // pixels of the screen within which a click finds a source
const MOST_NAMES = 60;

class SourceOverlay {
  /** Over a Leaflet map; `report` holds the sources and which of them are shown. */
  constructor(map, report) {
    this.map = map;
    this.report = report;
    this.names = true;
    this.visible = true;
    this.dark = true;
    this.canvas = make("canvas", { className: "sources" });
    map.getContainer().append(this.canvas);
    this.asked = 0;
    map.on("move zoom resize viewreset", () => this.draw());
  }

  /** Draw before the next picture of the screen, once however often it is asked for. */
  draw() {
    if (!this.asked) this.asked = requestAnimationFrame(() => this.drawNow());
  }

  /** Pixels of the screen: offset and scale of the map's pixels. */
  view() {
    const zero = this.map.latLngToContainerPoint([0, 0]);
    return { x0: zero.x, y0: zero.y, scale: 2 ** this.map.getZoom() };
  }

  /** The nearest shown source to a point of the screen, or -1. */
  nearest(point) {
    const { x0, y0, scale } = this.view();
    const { x, y } = this.report.data.outlines;
    let best = -1;
    let least = CATCH ** 2;
    if (!this.visible) return best;
    for (const row of this.report.shown) {
      if (x[row] === null) continue;
      const distance = (x0 + scale * x[row] - point.x) ** 2 + (y0 - scale * y[row] - point.y) ** 2;
      if (distance < least) [best, least] = [row, distance];
    }
    return best;
  }

  drawNow() {
    this.asked = 0;
    const size = this.map.getSize();
    const ratio = window.devicePixelRatio || 1;
    const canvas = this.canvas;
    if (canvas.width !== Math.round(size.x * ratio) || canvas.height !== Math.round(size.y * ratio)) {
      canvas.width = Math.round(size.x * ratio);
      canvas.height = Math.round(size.y * ratio);
      canvas.style.width = `${size.x}px`;
      canvas.style.height = `${size.y}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size.x, size.y);
    const view = this.view();
    const seen = this.visible ? this.inView(view, size) : [];
    const radius = Math.max(SMALLEST_MARKER, Math.min(MARKER, Math.sqrt((size.x * size.y) / (seen.length + 1)) / 4));
    this.drawMarkers(pen, seen, view, radius);
    const chosen = this.drawChosen(pen, view, radius);
    if (this.names && this.visible) this.drawNames(pen, seen, chosen, view, radius, size);
    this.drawScale(pen, view, size);
  }

  inView({ x0, y0, scale }, size) {
    const { x, y, a } = this.report.data.outlines;
    return this.report.shown.filter((row) => {
      if (x[row] === null) return false;
      const reach = scale * a[row] + MARKER;
      const [px, py] = [x0 + scale * x[row], y0 - scale * y[row]];
      return px > -reach && py > -reach && px < size.x + reach && py < size.y + reach;
    });
  }

  drawMarkers(pen, seen, view, radius) {
    const paths = this.report.data.classes.map(() => new Path2D());
    for (const row of seen) this.addSource(paths[this.report.classOf[row]], row, view, radius);
    for (const [color, width] of [[this.dark ? "#000a" : "#000b", 3.4], [null, 1.7]]) {
      this.report.data.classes.forEach((kind, number) => {
        pen.lineWidth = radius < 4 ? width * 0.8 : width;
        pen.strokeStyle = color || kind.colour;
        pen.stroke(paths[number]);
      });
    }
  }

  /** Add a source's outline: its ellipse where that can be seen, and its class's marker. */
  addSource(path, row, { x0, y0, scale }, radius) {
    const { x, y, a, b, t } = this.report.data.outlines;
    const [px, py] = [x0 + scale * x[row], y0 - scale * y[row]];
    const large = scale * a[row] > radius * 1.2;
    if (large) {
      path.moveTo(px + scale * a[row] * Math.cos(t[row]), py - scale * a[row] * Math.sin(t[row]));
      path.ellipse(px, py, scale * a[row], scale * b[row], -t[row], 0, 2 * Math.PI);
    }
    const reach = large ? Math.max(SMALLEST_MARKER, 0.5 * radius) : radius;
    const corners = MARKERS[this.report.data.classes[this.report.classOf[row]].marker];
    if (corners) {
      corners.forEach(([dx, dy], k) => path[k ? "lineTo" : "moveTo"](px + reach * dx, py + reach * dy));
      path.closePath();
    } else {
      path.moveTo(px + reach, py);
      path.arc(px, py, reach, 0, 2 * Math.PI);
    }
  }

  /** Ring the selected source; give its row, or -1. */
  drawChosen(pen, view, radius) {
    const row = this.report.selected;
    const { x, y } = this.report.data.outlines;
    if (row < 0 || x[row] === null) return -1;
    const [px, py] = [view.x0 + view.scale * x[row], view.y0 - view.scale * y[row]];
    const path = new Path2D();
    const reach = radius + 7;
    path.arc(px, py, reach, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      path.moveTo(px + dx * reach, py + dy * reach);
      path.lineTo(px + dx * (reach + 8), py + dy * (reach + 8));
    }
    for (const [color, width] of [["#000", 5], ["#ffe94d", 2.4]]) {
      pen.lineWidth = width;
      pen.strokeStyle = color;
      pen.stroke(path);
    }
    return row;
  }

  /** Name the selected and the strongest sources where there is room beside them. */
  drawNames(pen, seen, chosen, view, radius, size) {
    const taken = new Room(size);
    const { x, y } = this.report.data.outlines;
    const place = (row) => [view.x0 + view.scale * x[row], view.y0 - view.scale * y[row]];
    for (const row of seen) {
      const [px, py] = place(row);
      taken.add(px - radius, py - radius, px + radius, py + radius);
    }
    if (chosen >= 0) {
      const [px, py] = place(chosen);
      const reach = radius + 16;
      taken.add(px - reach, py - reach, px + reach, py + reach);
    }
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const inSight = new Set(seen);
    const order = this.report.byStrength.filter((row) => inSight.has(row)).slice(0, 4 * MOST_NAMES);
    if (chosen >= 0) order.unshift(chosen);
    let written = 0;
    for (const row of order) {
      if (written >= MOST_NAMES) break;
      if (row === chosen && written > 0) continue;
      const [px, py] = place(row);
      const text = this.report.shortNames[row];
      const width = pen.measureText(text).width;
      const gap = (row === chosen ? radius + 16 : radius) + 4;
      const corners = [[px + gap, py], [px - gap - width, py], [px - width / 2, py - gap - 7], [px - width / 2, py + gap + 7]];
      const free = corners.find(([left, middle]) => taken.has(left, middle - 8, left + width, middle + 8));
      if (!free) continue;
      taken.add(free[0], free[1] - 8, free[0] + width, free[1] + 8);
      pen.lineWidth = 3;
      pen.strokeStyle = this.dark ? "#000c" : "#fffd";
      pen.fillStyle = this.dark ? "#fff" : "#000";
      pen.strokeText(text, ...free);
      pen.fillText(text, ...free);
      written += 1;
    }
  }

  /** A scale bar, and the directions of north and east. */
  drawScale(pen, view, size) {
    const degrees = (90 / view.scale) * this.report.data.pixelScale;
    const [unit, per, name] = degrees >= 1 ? [degrees, 1, "°"] : degrees >= 1 / 60 ? [degrees * 60, 60, "′"] : [degrees * 3600, 3600, "″"];
    const power = 10 ** Math.floor(Math.log10(unit));
    const step = [5, 2, 1].find((factor) => factor * power <= unit) * power;
    const length = (step / per / this.report.data.pixelScale) * view.scale;
    const [left, bottom] = [14, size.y - 14];
    const path = new Path2D();
    path.moveTo(left, bottom - 5);
    path.lineTo(left, bottom);
    path.lineTo(left + length, bottom);
    path.lineTo(left + length, bottom - 5);
    const words = [[`${Number(step.toPrecision(2))}${name}`, left + length / 2, bottom - 11]];
    this.addCompass(path, words, left + 22, bottom - 52, size);
    pen.lineJoin = "round";
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    for (const [color, width] of [["#000c", 4], ["#fff", 1.6]]) {
      pen.lineWidth = width;
      pen.strokeStyle = color;
      pen.stroke(path);
    }
    for (const [text, x, y] of words) {
      pen.lineWidth = 3;
      pen.strokeStyle = "#000c";
      pen.strokeText(text, x, y);
      pen.fillStyle = "#fff";
      pen.fillText(text, x, y);
    }
    pen.textAlign = "start";
  }

  addCompass(path, words, x, y, size) {
    const middle = this.map.containerPointToLatLng([size.x / 2, size.y / 2]);
    const [north, east] = this.report.lattice.compass(middle.lng, middle.lat) || [];
    if (!north) return;
    for (const [[dx, dy], text] of [[north, "N"], [east, "E"]]) {
      path.moveTo(x, y);
      path.lineTo(x + 16 * dx, y - 16 * dy);
      words.push([text, x + 25 * dx, y - 25 * dy]);
    }
  }
}

/** Boxes of the screen that are taken, found by the cells they touch. */
class Room {
  constructor(size) {
    this.size = size;
    this.cells = new Map();
  }

  *near(left, top, right, bottom) {
    for (let column = Math.floor(left / 64); column <= right / 64; column += 1)
      for (let row = Math.floor(top / 64); row <= bottom / 64; row += 1) yield column * 10000 + row;
  }

  add(...box) {
    for (const cell of this.near(...box)) {
      if (!this.cells.has(cell)) this.cells.set(cell, []);
      this.cells.get(cell).push(box);
    }
  }

  /** Whether a box lies on the screen, clear of every other and of the corners' controls. */
  has(left, top, right, bottom) {
    if (left < 2 || top < 2 || right > this.size.x - 2 || bottom > this.size.y - 20) return false;
    if (left < 50 && top < 85) return false;
    if (left < 125 && bottom > this.size.y - 100) return false;
    for (const cell of this.near(left, top, right, bottom))
      for (const box of this.cells.get(cell) || [])
        if (left < box[2] && right > box[0] && top < box[3] && bottom > box[1]) return false;
    return true;
  }
}
