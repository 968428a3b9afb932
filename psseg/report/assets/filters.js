// Which sources are shown: by text, class, probabilities, strength and flags.
"use strict";

class Filters {
  constructor(report, changed) {
    this.report = report;
    this.form = document.getElementById("filters");
    this.form.open = matchMedia("(min-width: 60.01rem)").matches;
    document.getElementById("strength-name").textContent = report.strengthName;
    this.addClasses();
    this.addFlags();
    this.form.addEventListener("input", changed);
    document.getElementById("filter-reset").addEventListener("click", () => {
      for (const input of this.form.querySelectorAll("input, select"))
        input.type === "checkbox" ? (input.checked = true) : (input.value = "");
      changed();
    });
  }

  addClasses() {
    const field = document.getElementById("filter-classes");
    this.classes = this.report.data.classes.map((kind) => {
      const box = make("input", { type: "checkbox", checked: true, value: kind.name });
      field.append(make("label", {}, box, " ", sign(kind), `${kind.name} (${kind.count})`));
      return box;
    });
  }

  addFlags() {
    const place = document.querySelector("#filter-flags > div");
    const flags = this.report.column("Flags").values;
    this.flags = this.report.data.flags.map(({ bit, name, meaning }) => {
      const count = flags.reduce((sum, value) => sum + ((value & bit) !== 0), 0);
      const choice = make("select", {}, make("option", { value: "" }, "any"), make("option", { value: "with" }, "with"), make("option", { value: "without" }, "without"));
      place.append(make("label", {}, choice, make("span", {}, make("b", {}, name), ` (${count}): ${meaning}`)));
      return { bit, choice };
    });
  }

  /** The rows that pass, in the catalogue's order. */
  passing() {
    const report = this.report;
    const number = (id) => parseFloat(document.getElementById(id).value);
    const text = document.getElementById("filter-text").value.trim().toLowerCase();
    const source = report.column("SOURCE_PROB").values;
    const flags = report.column("Flags").values;
    const bits = (wanted) => this.flags.reduce((sum, { bit, choice }) => sum + (choice.value === wanted ? bit : 0), 0);
    const [required, refused] = [bits("with"), bits("without")];
    const below = (value, limit) => limit === limit && !(value >= limit);
    const [leastSource, leastClass, leastStrength] = ["filter-source", "filter-class", "filter-strength"].map(number);
    const passes = (row) =>
      this.classes[report.classOf[row]].checked &&
      (!text || report.names[row].toLowerCase().includes(text)) &&
      !below(source[row], leastSource) &&
      !below(report.classProbability[row], leastClass) &&
      !below(report.strength[row], leastStrength) &&
      (flags[row] & required) === required &&
      (flags[row] & refused) === 0;
    return [...Array(report.names.length).keys()].filter(passes);
  }
}
