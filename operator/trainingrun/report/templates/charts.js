/* Draws the page's curves over their still pictures, to point at, zoom and smooth. It loads nothing and keeps nothing. */
(() => {
  "use strict";
  const charts = JSON.parse(document.getElementById("curves").textContent);
  const control = (name) => document.getElementById(`curves-${name}`);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const UNITS = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
  const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000];
  const HEIGHT = 220, MOST_DOTS = 60, TIP_WIDTH = 190;

  const duration = (seconds) => {
    const unit = UNITS.find(([size]) => seconds >= size);
    if (!unit) return `${+seconds.toPrecision(3)} s`;
    const [large, largeName, small, smallName] = unit;
    const rest = Math.floor((seconds % large) / small);
    return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
  };
  const number = (value) => (Math.abs(value) >= 1e6 || (value && Math.abs(value) < 1e-4) ? value.toExponential(3) : String(+value.toPrecision(5)));
  const place = (value, axis) => (axis === "time" ? duration(value) : number(value));

  /* The mean that weighs older points less and less, as other tools smooth. */
  const smoothed = (values, weight) => {
    let mean = 0, known = 0;
    return values.map((value) => {
      if (value === null) return null;
      mean = mean * weight + value * (1 - weight);
      known = known * weight + (1 - weight);
      return mean / known;
    });
  };

  /* A curve's points in the order of the axis, one for each place on it. */
  const points = (curve, axis, values, isLog) => {
    const xs = [], ys = [];
    curve[axis].forEach((x, at) => {
      if (x === null || (xs.length && x <= xs[xs.length - 1])) return;
      xs.push(x);
      ys.push(values[at] === null || (isLog && values[at] <= 0) ? null : values[at]);
    });
    return [xs, ys];
  };

  const line = (curve, isFaint, isDotted) => {
    const stroke = colour(curve.look) || colour("train");
    return {
      label: curve.label, isFaint, stroke, width: isFaint ? 1 : 2, alpha: isFaint ? 0.3 : 1,
      dash: curve.look === "validation" && !isFaint ? [6, 3] : undefined, points: { show: isDotted, size: 6, fill: stroke },
    };
  };

  const drawMarks = (plot, marks, axis) => {
    const { left, top, width, height } = plot.bbox;
    for (const mark of marks) {
      const x = Math.round(plot.valToPos(mark[axis][0], "x", true));
      if (x < left || x > left + width) continue;
      plot.ctx.save();
      plot.ctx.strokeStyle = colour(mark.look === "best" ? "good" : "restart");
      plot.ctx.lineWidth = 1.5 * devicePixelRatio;
      plot.ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(x, top);
      plot.ctx.lineTo(x, top + height);
      plot.ctx.stroke();
      plot.ctx.restore();
    }
  };

  /* What is under the pointer: of each curve its point that is nearest on the axis. */
  const tell = (plot, tip, axis) => {
    const { left, idx } = plot.cursor;
    if (idx === null || idx === undefined || left < 0) { tip.hidden = true; return; }
    const rows = [];
    plot.series.forEach((series, at) => {
      if (!at || series.isFaint) return;
      const ys = plot.data[at];
      let near = 0;
      while (ys[idx - near] == null && ys[idx + near] == null && near < ys.length) near += 1;
      const value = ys[idx - near] ?? ys[idx + near];
      if (value == null) return;
      const row = document.createElement("div"), key = document.createElement("i");
      key.style.background = series.stroke();
      row.append(key, `${series.label}: ${number(value)}`);
      rows.push(row);
    });
    const head = document.createElement("b");
    head.textContent = `${axis} ${place(plot.data[0][idx], axis)}`;
    tip.replaceChildren(head, ...rows);
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(left + 12, plot.over.clientWidth - TIP_WIDTH))}px`;
  };

  const build = (figure, chart) => {
    const axis = control("axis").value, weight = +control("smoothing").value;
    const isLog = control("scale").value === "" ? chart.log : control("scale").value === "log";
    const tables = [], series = [{}];
    for (const curve of chart.curves) {
      const isDotted = curve.y.length === 1 || (curve.look === "validation" && curve.y.length <= MOST_DOTS);
      // Few points, as of each epoch, would only lag behind.
      const isSmoothed = weight > 0 && curve.y.length > MOST_DOTS;
      if (isSmoothed) { tables.push(points(curve, axis, curve.y, isLog)); series.push(line(curve, true, false)); }
      tables.push(points(curve, axis, isSmoothed ? smoothed(curve.y, weight) : curve.y, isLog));
      series.push(line(curve, false, isDotted));
    }
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    const grid = { stroke: colour("grid"), width: 1 };
    const drawn = { stroke: colour("soft"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    figure.querySelector("figcaption span").textContent = `by ${axis}${isLog ? ", logarithmic scale" : ""}`;
    const box = figure.querySelector(".live");
    box.replaceChildren();
    const plot = new uPlot({
      width: box.clientWidth, height: HEIGHT, legend: { show: false },
      scales: { x: { time: false }, y: { distr: isLog ? 3 : 1 } },
      axes: [
        { ...drawn, size: 34, space: 70, incrs: axis === "time" ? TIMES : undefined, values: (_, ticks) => ticks.map((tick) => place(tick, axis)) },
        { ...drawn, size: 62, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) },
      ],
      series,
      cursor: { sync: { key: "curves" }, drag: { x: true, y: false }, points: { size: 7 } },
      hooks: { setCursor: [(self) => tell(self, tip, axis)], draw: [(self) => drawMarks(self, chart.marks, axis)] },
    }, uPlot.join(tables), box);
    plot.over.append(tip);
    return plot;
  };

  const figures = [...document.querySelectorAll("figure[data-chart]")]
    .map((figure) => [figure, charts[figure.dataset.chart]])
    .filter(([, chart]) => chart && chart.curves.length);
  let plots = [];
  const draw = () => {
    plots.forEach((plot) => plot.destroy());
    plots = figures.map(([figure, chart]) => build(figure, chart));
  };
  for (const [figure] of figures) {
    const live = document.createElement("div");
    live.className = "live";
    live.setAttribute("aria-hidden", "true");
    figure.querySelector(".plot").classList.add("unseen");
    figure.querySelector(".plot").after(live);
  }
  if (!figures.length) return;
  draw();
  document.getElementById("curves-controls").hidden = false;
  ["axis", "scale", "smoothing"].forEach((name) => control(name).addEventListener("input", draw));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("resize", () => plots.forEach((plot) => plot.setSize({ width: plot.root.parentElement.clientWidth, height: HEIGHT })));
})();
