// Start: read the data that stand in the page, and join map, table and details.
"use strict";

class Report {
  constructor(data, layers) {
    this.data = data;
    this.layers = layers;
    this.byName = new Map(data.columns.map((column) => [column.name, column]));
    this.lattice = new Lattice(data.lattice);
    this.names = this.column("Source_Name").values;
    this.shortNames = this.names.map((name) => name.replace(/^PSSEG /, ""));
    this.position = data.kind === "counts" ? ["RAJ2000", "DEJ2000"] : ["ra", "dec"];
    [this.strengthName, this.strengthTitle] = data.kind === "counts" ? ["Sqrt_TS", "√TS"] : ["SNR", "SNR"];
    this.strength = this.column(this.strengthName).values;
    this.byStrength = [...this.names.keys()].sort((one, two) => this.strength[two] - this.strength[one]);
    const classes = data.classes.map(({ name }) => name);
    this.classOf = this.column("CLASS").values.map((name) => classes.indexOf(name.trim()));
    const probabilities = classes.map((name) => this.column(`P_${name.toUpperCase()}`).values);
    this.classProbability = this.classOf.map((number, row) => probabilities[number][row]);
    this.shown = [...this.names.keys()];
    this.selected = -1;
  }

  column(name) {
    return this.byName.get(name);
  }

  flagNames(row) {
    return this.data.flags.filter(({ bit }) => this.column("Flags").values[row] & bit).map(({ name }) => name);
  }
}

function start() {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const report = new Report(read("data"), read("layers"));
  const choose = (row, origin) => {
    report.selected = row;
    details.show(row); // may take room from the map: first
    sky.refit();
    if (origin !== "map") sky.goTo(row);
    sky.redraw();
    list.reveal();
  };
  const sky = new SkyMap(report, { choose });
  const list = new SourceList(report, { choose });
  const details = new Details(report, sky);
  const filter = () => {
    report.shown = filters.passing();
    document.getElementById("shown").textContent = `${report.shown.length} of ${report.names.length} shown`;
    list.arrange(report.shown);
    sky.redraw();
  };
  const filters = new Filters(report, filter);
  new Summary(report);
  filter();
}

start();
