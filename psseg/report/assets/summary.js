// The map as a whole: counts, thresholds, bands, flags and where the catalogue comes from.
"use strict";

const TABLE_TITLES = { SURVEY: { counts: "Bands", continuum: "Planes" }, THRESHOLDS: "Thresholds applied" };

class Summary {
  constructor(report) {
    this.report = report;
    const counts = document.getElementById("counts");
    counts.append(make("span", {}, plural(report.names.length, "source")));
    for (const kind of report.data.classes) counts.append(make("span", {}, sign(kind), `${kind.count} ${kind.name}`));
    const notes = document.getElementById("notes");
    notes.append(...report.data.notes.map((note) => make("p", {}, note)));
    notes.hidden = report.data.notes.length === 0;
    const cards = document.querySelector("#summary .cards");
    const tables = report.data.tables.map((table) => this.table(table));
    cards.append(this.sources(), this.flags(), ...tables, ...this.completeness(), this.provenance(), this.history());
  }

  card(title, ...content) {
    return make("section", {}, make("h3", {}, title), ...content);
  }

  sources() {
    const { data, names } = this.report;
    const [rows, columns] = data.shape;
    const body = make("tbody");
    for (const kind of data.classes) {
      const sure = this.report.classProbability.filter((value, row) => value >= 0.8 && data.classes[this.report.classOf[row]] === kind).length;
      body.append(make("tr", {}, make("th", { scope: "row" }, sign(kind), kind.name), make("td", { className: "number" }, String(kind.count)), make("td", { className: "number" }, String(sure))));
    }
    const head = make("thead", {}, make("tr", {}, heading("Class"), heading("Sources", true), heading("P(class) ≥ 0.8", true)));
    const expected = this.report.column("SOURCE_PROB").values.reduce((sum, value) => sum + (value ?? 0), 0);
    return this.card(
      "Sources",
      make("table", { className: "values" }, head, body),
      make("p", {}, `${plural(names.length, "source")}, of which ${significant(expected, 4)} are expected to be real (sum of P(source)).`),
      make("p", {}, `The map: ${columns} × ${rows} pixels of ${angleText(data.pixelScale)}.`),
    );
  }

  flags() {
    const values = this.report.column("Flags").values;
    const body = make("tbody");
    for (const { bit, name, meaning } of this.report.data.flags) {
      const count = values.filter((value) => value & bit).length;
      body.append(make("tr", {}, make("td", { className: "number" }, String(bit)), make("th", { scope: "row" }, name), make("td", { className: "number" }, String(count)), make("td", { className: "long" }, meaning)));
    }
    const head = make("thead", {}, make("tr", {}, heading("Bit", true), heading("Flag"), heading("Sources", true), heading("Meaning")));
    return this.card("Flags", make("table", { className: "values" }, head, body));
  }

  table({ name, columns }) {
    const known = TABLE_TITLES[name];
    const title = known ? known[this.report.data.kind] || known : name.toLowerCase().replaceAll("_", " ");
    const head = make("thead", {}, make("tr", {}, ...columns.map((column) => heading(`${column.name.toLowerCase().replaceAll("_", " ")}${column.unit ? ` (${column.unit})` : ""}`, typeof column.values[0] === "number"))));
    const body = make("tbody");
    const text = (value) => (Array.isArray(value) ? value.map((one) => significant(one, 4)).join(", ") : significant(value, 4));
    for (let row = 0; row < (columns[0]?.values.length || 0); row += 1)
      body.append(make("tr", {}, ...columns.map(({ values }) => make("td", { className: typeof values[row] === "number" ? "number" : "" }, text(values[row]).replaceAll("_", " ")))));
    return this.card(title, make("table", { className: "values" }, head, body));
  }

  /** Say so where completeness was not computed. */
  completeness() {
    const told = this.report.data.tables.some(({ name }) => /COMPLETE|SENSITIV/.test(name));
    const text = "Not computed for this map. The card of the network (psseg models show) has it for simulated skies.";
    return told ? [] : [this.card("Completeness", make("p", {}, text))];
  }

  provenance() {
    const body = make("tbody");
    for (const [name, value, comment] of this.report.data.cards)
      body.append(make("tr", {}, make("th", { scope: "row" }, name), make("td", { className: "long" }, comment ? `${value} (${comment})` : value)));
    return this.card("Provenance", make("table", { className: "values" }, body));
  }

  history() {
    const card = this.card("History", make("pre", {}, this.report.data.history || "none"));
    card.className = "wide";
    return card;
  }
}

function heading(text, ofNumbers = false) {
  return make("th", { scope: "col", className: ofNumbers ? "number" : "" }, text);
}

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
