// The table of sources: only the rows in sight are elements, so that thousands scroll as few do.
"use strict";

const ROW = 28; // pixels, as in the style sheet
const SPARE = 8; // rows beyond either end of what is in sight

const LISTED = {
  counts: [
    ["Source_Name"], ["CLASS"], ["P(class)", { decimals: 2 }], ["SOURCE_PROB", { title: "P(source)", decimals: 3 }],
    ["Sqrt_TS", { title: "√TS", decimals: 1 }], ["RAJ2000", { title: "RA", decimals: 4 }], ["DEJ2000", { title: "Dec", decimals: 4 }],
    ["GLON", { title: "l", decimals: 4 }], ["GLAT", { title: "b", decimals: 4 }],
    ["FLUX1000", { title: "Flux 1–100 GeV", digits: 3 }], ["Npred", { digits: 3 }], ["PL_Index", { title: "Index", decimals: 2 }], ["Flags"],
  ],
  continuum: [
    ["Source_Name"], ["CLASS"], ["P(class)", { decimals: 2 }], ["SOURCE_PROB", { title: "P(source)", decimals: 3 }],
    ["SNR", { digits: 3 }], ["ra", { title: "RA", decimals: 5 }], ["dec", { title: "Dec", decimals: 5 }],
    ["peak_flux", { title: "Peak", unit: "mJy/beam", scale: 1e3, digits: 3 }], ["int_flux", { title: "Flux density", unit: "mJy", scale: 1e3, digits: 3 }],
    ["maj", { title: "Major axis", unit: "″", scale: 3600, digits: 3 }], ["alpha", { title: "α", decimals: 2 }], ["Flags"],
  ],
};

class SourceList {
  constructor(report, { choose }) {
    this.report = report;
    this.choose = choose;
    this.box = document.getElementById("rows");
    this.table = this.box.querySelector("table");
    this.body = this.table.tBodies[0];
    this.columns = LISTED[report.data.kind].map(([name, how = {}]) => this.listed(name, how)).filter((column) => column);
    this.sorted = { column: this.columns.find((column) => column.name === report.strengthName), down: true };
    this.addHead();
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.press(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-row]");
      if (row) this.choose(Number(row.dataset.row), "list");
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  /** A column of the table, or null where it has no values to show. */
  listed(name, how) {
    const own = name === "P(class)" ? { values: this.report.classProbability, unit: "", meaning: "Probability of the class it is given" } : this.report.column(name);
    const empty = own.values.length > 0 && own.values.every((value) => value === null);
    if (empty && name !== "Flags") return null;
    const scale = how.scale || 1;
    const text = (value) => {
      if (value === null || typeof value === "string") return value === null ? "–" : value;
      if (how.decimals !== undefined) return fixed(value * scale, how.decimals);
      return significant(value * scale, how.digits || 4);
    };
    return { name, values: own.values, text, title: how.title || name, unit: how.unit || own.unit, meaning: own.meaning, isText: name === "Source_Name" || name === "CLASS" };
  }

  addHead() {
    const head = this.table.tHead.rows[0];
    this.table.setAttribute("aria-colcount", this.columns.length);
    for (const column of this.columns) {
      const button = make("button", { type: "button", title: column.meaning }, column.title.replaceAll("_", " "), make("small", {}, column.unit));
      button.addEventListener("click", () => this.sortBy(column));
      column.head = make("th", { scope: "col", className: column.isText ? "text" : "" }, button);
      head.append(column.head);
    }
  }

  sortBy(column) {
    const again = this.sorted.column === column;
    this.sorted = { column, down: again ? !this.sorted.down : !column.isText };
    this.arrange(this.report.shown);
  }

  /** Sort the rows that are shown, and show them. */
  arrange(rows) {
    const { column, down } = this.sorted;
    const { values } = column;
    const compare = column.isText
      ? (one, two) => values[one].localeCompare(values[two], "en")
      : (one, two) => values[one] - values[two];
    const missing = rows.filter((row) => values[row] === null);
    const present = rows.filter((row) => values[row] !== null).sort(compare);
    this.rows = [...(down ? present.reverse() : present), ...missing];
    for (const { head } of this.columns) head.setAttribute("aria-sort", "none");
    column.head.setAttribute("aria-sort", down ? "descending" : "ascending");
    for (const each of this.columns) {
      const mark = each === column ? (down ? " ▾" : " ▴") : "";
      each.head.firstChild.firstChild.textContent = each.title.replaceAll("_", " ") + mark;
    }
    this.place = new Map(this.rows.map((row, number) => [row, number]));
    this.table.setAttribute("aria-rowcount", this.rows.length + 1);
    this.drawn = "";
    this.draw();
  }

  draw() {
    if (!this.rows) return;
    const head = this.table.tHead.offsetHeight;
    const first = Math.max(0, Math.floor((this.box.scrollTop - head) / ROW) - SPARE);
    const end = Math.min(this.rows.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + SPARE);
    const drawn = `${first} ${end} ${this.report.selected}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const rows = this.rows.slice(first, end).map((row, k) => this.row(row, first + k));
    if (this.rows.length === 0) rows.push(this.nothing());
    this.body.replaceChildren(this.gap(first), ...rows, this.gap(this.rows.length - end));
    this.table.setAttribute("aria-activedescendant", this.place.has(this.report.selected) ? `row-${this.report.selected}` : "");
  }

  row(row, number) {
    const cells = this.columns.map((column) => {
      const text = column.text(column.values[row]);
      const cell = make("td", { className: column.isText ? "text" : "" }, text);
      if (column.name === "CLASS") cell.prepend(sign(this.report.data.classes[this.report.classOf[row]]));
      if (column.name === "Source_Name") cell.title = text;
      if (column.name === "Flags") cell.title = this.report.flagNames(row).join(", ") || "none";
      return cell;
    });
    return make("tr", { id: `row-${row}`, "data-row": row, "aria-rowindex": number + 2, "aria-selected": String(row === this.report.selected) }, ...cells);
  }

  gap(count) {
    const cell = make("td", { colSpan: this.columns.length });
    cell.style.height = `${count * ROW}px`;
    return make("tr", { className: "gap", "aria-hidden": "true" }, cell);
  }

  nothing() {
    const text = this.report.names.length ? "No source passes these filters." : "The catalogue is empty: no source was found.";
    return make("tr", { className: "empty" }, make("td", { colSpan: this.columns.length }, text));
  }

  press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter" && event.target === this.table) document.getElementById("details").focus();
    if (step === undefined || event.target.closest("button") || !this.rows.length) return;
    event.preventDefault();
    const now = this.place.get(this.report.selected) ?? (step > 0 ? -1 : 0);
    const next = Math.max(0, Math.min(this.rows.length - 1, now + step));
    this.choose(this.rows[next], "keys");
  }

  /** Bring the selected row into sight and mark it. */
  reveal() {
    const number = this.place.get(this.report.selected);
    if (number !== undefined) {
      const head = this.table.tHead.offsetHeight;
      const top = number * ROW;
      const room = this.box.clientHeight - head - ROW;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      else if (top > this.box.scrollTop + room) this.box.scrollTop = top - room / 2;
    }
    this.draw();
  }
}
