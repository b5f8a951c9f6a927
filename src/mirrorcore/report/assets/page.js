"use strict";
// Charts and table sorting of a run's page. Data comes from the JSON block, colours from the style.
(() => {
  const figures = JSON.parse(document.getElementById("figure-data").textContent);
  const root = document.documentElement;

  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  const instants = ({ first, unit, steps }) => {
    const out = new Array(steps.length + 1);
    out[0] = first;
    steps.forEach((step, i) => { out[i + 1] = out[i] + step * unit; });
    return out;
  };

  const painted = (trace) => {
    const copy = { ...trace, line: { ...trace.line, color: color(trace.line.color) } };
    if (trace.fillcolor) copy.fillcolor = color(trace.fillcolor);
    return copy;
  };

  const layout = (given) => {
    const axis = {
      gridcolor: color("--grid"), linecolor: color("--grid"), zerolinecolor: color("--zero"),
      tickfont: { size: 11 }, automargin: true,
    };
    const out = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: color("--muted"), family: "system-ui, sans-serif", size: 12 },
      margin: { l: 64, r: 16, t: 34, b: 32 }, hovermode: "x unified", hoversubplots: "axis", dragmode: "zoom",
      hoverlabel: {
        bgcolor: color("--panel"), bordercolor: color("--grid"), font: { color: color("--text") },
      },
      modebar: {
        bgcolor: "rgba(0,0,0,0)", color: color("--zero"), activecolor: color("--accent"),
      },
      ...given,
    };
    for (const key of Object.keys(given)) {
      if (/^[xy]axis/.test(key)) out[key] = { ...axis, ...given[key] };
      if (/^legend/.test(key)) {
        out[key] = { orientation: "h", x: 0, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)", ...given[key] };
      }
    }
    return out;
  };

  const config = { responsive: true, displaylogo: false, plotlyServerURL: "", displayModeBar: "hover" };

  for (const figure of Object.values(figures)) {
    for (const trace of figure.traces) trace.x = instants(trace.x);
  }

  const draw = () => {
    for (const [id, figure] of Object.entries(figures)) {
      Plotly.react(id, figure.traces.map(painted), layout(figure.layout), config);
    }
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };

  const compare = (a, b) => {
    const numbers = [typeof a, typeof b].filter((kind) => kind === "number").length;
    if (numbers === 2) return a - b;
    if (numbers === 1) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, "en", { numeric: true });
  };

  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => compare(key(a, column), key(b, column)));
      body.append(...(down ? rows.reverse() : rows));
    }));
  });
})();
