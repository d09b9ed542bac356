// The plots, and times as the reader's browser writes them. Everything else is HTML from the bot.
"use strict";

(() => {
  const HOUR_SECONDS = 3600;
  const REFRESH_SECONDS = {hour: 10, days: 60};
  const HEIGHT = 180;
  const language = document.documentElement.lang;

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = new Intl.NumberFormat(language, {maximumFractionDigits: 1});
  const shown = value => value === null || value === undefined ? "–" : number.format(value);

  function times(span) {
    const form = span === "hour"
      ? {hour: "2-digit", minute: "2-digit"}
      : {day: "numeric", month: "short"};
    const format = new Intl.DateTimeFormat(navigator.language, form);
    return (_, seconds) => seconds.map(at => format.format(at * 1000));
  }

  // Where a value stands between gaps, no line leads to it.
  function lone(values) {
    const isGap = at => values[at] === null || values[at] === undefined;
    return [...values.keys()].filter(at => !isGap(at) && isGap(at - 1) && isGap(at + 1));
  }

  class Plot {
    constructor(figure) {
      this.figure = figure;
      this.canvas = figure.querySelector("[role=img]");
      this.summary = figure.querySelector(".summary");
      this.curves = JSON.parse(figure.dataset.curves);
      new ResizeObserver(() => this.resize()).observe(this.canvas);
    }

    draw(span, columns) {
      const data = [columns.at, ...this.curves.map(curve => columns[curve.name])];
      if (this.drawn && this.span === span) {
        this.drawn.setData(data, false);
        this.drawn.setScale("x", this.range(span));
      } else {
        this.span = span;
        this.build(data);
      }
      this.describe(columns);
    }

    range(span) {
      const now = Date.now() / 1000;
      return {min: now - (span === "hour" ? HOUR_SECONDS : 30 * 24 * HOUR_SECONDS), max: now};
    }

    build(data) {
      this.drawn?.destroy();
      const axis = {stroke: colour("--faint"), grid: {stroke: colour("--line"), width: 1}, ticks: {show: false}};
      const colours = [colour("--accent"), colour("--second")];
      this.drawn = new uPlot({
        width: this.width(),
        height: HEIGHT,
        legend: {show: false},
        cursor: {show: false},
        scales: {x: {time: true}, y: {range: (_, __, most) => [0, Math.max(most || 0, 1) * 1.1]}},
        axes: [
          {...axis, values: times(this.span), space: 60},
          {...axis, size: 48, values: (_, values) => values.map(value => number.format(value))},
        ],
        series: [
          {},
          ...this.curves.map((curve, index) => ({
            label: curve.title,
            stroke: colours[index],
            dash: index ? [6, 4] : undefined,
            width: 2,
            points: {size: 5, fill: colours[index], show: true, filter: (plot, series) => lone(plot.data[series])},
          })),
        ],
      }, data, this.canvas);
      this.drawn.setScale("x", this.range(this.span));
    }

    describe(columns) {
      const words = this.curves.map(curve => {
        const values = columns[curve.name].filter(value => value !== null);
        return this.figure.dataset.summary
          .replace("{title}", curve.title)
          .replace("{last}", shown(values.at(-1)))
          .replace("{most}", shown(values.length ? Math.max(...values) : null));
      });
      this.summary.textContent = words.join(" · ");
    }

    width() { return Math.max(this.canvas.clientWidth, 100); }
    resize() { this.drawn?.setSize({width: this.width(), height: HEIGHT}); }

    recolour() {
      if (this.drawn) this.build(this.drawn.data);
    }
  }

  function localTimes(root) {
    const format = new Intl.DateTimeFormat(navigator.language, {dateStyle: "medium", timeStyle: "short"});
    for (const time of root.querySelectorAll("time[datetime]"))
      time.textContent = format.format(new Date(time.dateTime));
  }

  function start() {
    localTimes(document);
    document.body.addEventListener("htmx:afterSwap", event => localTimes(event.target));
    const plots = [...document.querySelectorAll("[data-curves]")].map(figure => new Plot(figure));
    if (!plots.length) return;
    const choice = document.querySelector("#span");
    let drawnAt = 0;

    async function refresh() {
      const span = choice.elements.span.value;
      const response = await fetch(`/plots/${span}`);
      if (!response.ok) return;
      const columns = await response.json();
      drawnAt = Date.now();
      for (const plot of plots) plot.draw(span, columns);
      document.body.dataset.drawn = span;
    }

    choice.addEventListener("change", refresh);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const plot of plots) plot.recolour();
    });
    setInterval(() => {
      const due = drawnAt + REFRESH_SECONDS[choice.elements.span.value] * 1000 <= Date.now();
      if (due && !document.hidden) refresh().catch(() => {});
    }, 1000);
    refresh().catch(() => {});
  }

  start();
})();
