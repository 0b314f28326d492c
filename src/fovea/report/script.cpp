#include "fovea/report/html.h"

namespace fovea::report {

std::string_view script() {
  return R"js(
"use strict";
(() => {
const SVG = "http://www.w3.org/2000/svg";
const element = (name, attributes, parent) => {
  const e = document.createElementNS(SVG, name);
  for (const key in attributes) e.setAttribute(key, attributes[key]);
  if (parent) parent.appendChild(e);
  return e;
};
const short = v => {
  if (v === 0) return "0";
  const size = Math.abs(v);
  if (size >= 1e6 || size < 1e-4) return v.toExponential(2);
  return String(Number(v.toPrecision(5)));
};

/* Round numbers of an axis. */
const linearTicks = (low, high, count, integers) => {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough)), times = rough / power;
  const nice = power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10), list = [];
  const step = integers ? Math.max(nice, 1) : nice;
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9 && list.length < 40; ++k)
    list.push(Number((k * step).toPrecision(12)));
  return list;
};
const logTicks = (low, high) => {
  const list = [], first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const stride = Math.max(1, Math.floor((last - first) / 7));
  for (let p = first; p <= last; p += stride)
    for (const m of last - first <= 2 ? [1, 2, 5] : [1]) {
      const v = m * 10 ** p;
      if (v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9)) list.push(v);
    }
  return list;
};

const chart = (plot, data) => {
  const figure = plot.parentElement, readout = figure.querySelector(".readout");
  const good = (v, log) => v !== null && (!log || v > 0);
  const extent = (key, log, lowest, highest) => {
    let low = Infinity, high = -Infinity;
    for (const s of data.series)
      s[key].forEach((v, i) => {
        if (!good(v, log) || s.x[i] < lowest || s.x[i] > highest) return;
        low = Math.min(low, v);
        high = Math.max(high, v);
      });
    if (low > high) return log ? [0.1, 1] : [0, 1];
    if (low === high) return log ? [low / 2, low * 2] : [low - (Math.abs(low) / 2 || 1), low + (Math.abs(low) / 2 || 1)];
    return [low, high];
  };
  const all = data.xRange || extent("x", data.logX, -Infinity, Infinity);
  const xs = [...new Set(data.series.flatMap(s => s.x))].filter(v => v !== null).sort((a, b) => a - b);
  const integers = xs.every(Number.isInteger) && all[1] - all[0] >= 1;
  let view = all.slice(), cursor = null, drag = null;

  const tools = document.createElement("div");
  tools.className = "tools";
  for (const s of data.series) {
    if (!s.name) continue;
    const label = document.createElement("label"), box = document.createElement("input"), key = document.createElement("span");
    box.type = "checkbox";
    box.checked = true;
    box.onchange = () => { s.hidden = !box.checked; draw(); };
    key.className = s.dashed ? "key dashed" : "key";
    key.style.borderColor = s.color;
    label.append(box, key, s.name);
    tools.append(label);
  }
  const reset = document.createElement("button");
  reset.type = "button";
  reset.textContent = "Show all";
  reset.onclick = () => zoom(all);
  tools.append(reset);
  plot.before(tools);

  const toUnit = (v, [low, high], log) => log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low);
  const fromUnit = (t, [low, high], log) => log ? low * (high / low) ** t : low + t * (high - low);
  let width = 0, box = null, yRange = null;
  const height = 300;

  const draw = () => {
    width = Math.max(plot.clientWidth, 240);
    plot.textContent = "";
    const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"}, plot);
    const shown = data.series.filter(s => !s.hidden);
    yRange = data.yRange || (() => {
      const saved = data.series;
      data.series = shown;
      const [low, high] = extent("y", data.logY, view[0], view[1]);
      data.series = saved;
      if (data.logY) { const r = (high / low) ** 0.05; return [low / r, high * r]; }
      const room = (high - low) * 0.05;
      return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
    })();
    const yTicks = data.logY ? logTicks(...yRange) : linearTicks(...yRange, 5);
    const left = 12 + 7 * Math.max(...yTicks.map(v => short(v).length), 1) + (data.y ? 16 : 0);
    box = {left, top: 8, right: width - 12, bottom: height - (data.x ? 38 : 22)};
    const X = v => box.left + (box.right - box.left) * toUnit(v, view, data.logX);
    const Y = v => box.bottom - (box.bottom - box.top) * toUnit(v, yRange, data.logY);
    for (const v of yTicks) {
      element("line", {class: "grid", x1: box.left, x2: box.right, y1: Y(v), y2: Y(v)}, svg);
      element("text", {x: box.left - 6, y: Y(v) + 4, "text-anchor": "end"}, svg).textContent = short(v);
    }
    let free = -Infinity;
    for (const v of data.logX ? logTicks(...view) : linearTicks(...view, Math.max(2, Math.floor(width / 90)), integers)) {
      const x = X(v), label = short(v), half = label.length * 3.5;
      element("line", {class: "grid", x1: x, x2: x, y1: box.top, y2: box.bottom}, svg);
      if (x - half < free) continue;
      element("text", {x: Math.min(x, width - half), y: box.bottom + 16, "text-anchor": "middle"}, svg).textContent = label;
      free = x + half + 8;
    }
    element("path", {class: "axis", fill: "none", d: `M${box.left} ${box.top}V${box.bottom}H${box.right}`}, svg);
    if (data.x) element("text", {x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle"}, svg).textContent = data.x;
    if (data.y) element("text", {transform: `translate(11 ${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, svg).textContent = data.y;
    const id = plot.id + "clip", clip = element("clipPath", {id}, svg);
    element("rect", {x: box.left, y: box.top - 3, width: box.right - box.left, height: box.bottom - box.top + 6}, clip);
    const lines = element("g", {"clip-path": `url(#${id})`}, svg);
    for (const s of shown) {
      let path = "", joined = false, last = null;
      s.x.forEach((v, i) => {
        const ok = good(v, data.logX) && good(s.y[i], data.logY);
        if (ok) path += (joined ? "L" : "M") + X(v).toFixed(1) + " " + Y(s.y[i]).toFixed(1);
        if (ok && !joined) last = i;
        const ends = ok && !(i + 1 < s.x.length && good(s.y[i + 1], data.logY));
        if (ok && (s.points || (ends && last === i)))
          element("circle", {class: "line", cx: X(v), cy: Y(s.y[i]), r: 3, fill: s.color}, lines);
        joined = ok;
      });
      element("path", {class: "line", d: path || "M0 0", fill: "none", stroke: s.color, "stroke-width": 2,
        "stroke-linejoin": "round", "stroke-linecap": "round", "stroke-dasharray": s.dashed ? "6 5" : "none"}, lines);
    }
    if (cursor !== null && cursor >= view[0] && cursor <= view[1]) {
      element("line", {class: "cursor", x1: X(cursor), x2: X(cursor), y1: box.top, y2: box.bottom}, svg);
      for (const s of shown) {
        const i = s.x.indexOf(cursor);
        if (i >= 0 && good(s.y[i], data.logY))
          element("circle", {cx: X(cursor), cy: Y(s.y[i]), r: 4, fill: s.color}, lines);
      }
    }
    if (drag && drag.from !== drag.to)
      element("rect", {class: "select", x: Math.min(drag.from, drag.to), y: box.top,
        width: Math.abs(drag.to - drag.from), height: box.bottom - box.top}, svg);
    plot.dataset.drawn = shown.length;
  };

  const tell = () => {
    readout.textContent = "";
    if (cursor === null) return;
    readout.append(`${data.x || "x"} ${short(cursor)}`);
    for (const s of data.series) {
      const i = s.x.indexOf(cursor);
      if (s.hidden || i < 0 || s.y[i] === null) continue;
      const key = document.createElement("span");
      key.className = s.dashed ? "key dashed" : "key";
      key.style.borderColor = s.color;
      readout.append(key, `${s.name || data.y} ${short(s.y[i])}`);
    }
  };
  const zoom = ([low, high]) => {
    if (!(high > low) || high - low < (all[1] - all[0]) * 1e-4) return;
    view = [Math.max(low, all[0]), Math.min(high, all[1])];
    if (!(view[1] > view[0])) view = all.slice();
    draw();
  };
  const around = (center, factor) => {
    const t = toUnit(center, view, data.logX);
    zoom([fromUnit(t - t * factor, view, data.logX), fromUnit(t + (1 - t) * factor, view, data.logX)]);
  };
  const place = event => {
    const area = plot.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - area.left) * width / area.width, box.left), box.right);
  };
  const valueAt = x => fromUnit((x - box.left) / (box.right - box.left), view, data.logX);
  const nearest = v => xs.reduce((best, x) => best === null || Math.abs(x - v) < Math.abs(best - v) ? x : best, null);

  plot.addEventListener("pointerdown", event => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    const x = place(event);
    drag = {from: x, to: x};
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", event => {
    const x = place(event);
    if (drag) drag.to = x;
    cursor = nearest(valueAt(x));
    draw();
    tell();
  });
  plot.addEventListener("pointerup", () => {
    const done = drag;
    drag = null;
    if (done && Math.abs(done.to - done.from) > 8)
      zoom([valueAt(Math.min(done.from, done.to)), valueAt(Math.max(done.from, done.to))]);
    else draw();
  });
  plot.addEventListener("pointerleave", () => { if (!drag) { cursor = null; draw(); tell(); } });
  plot.addEventListener("dblclick", () => zoom(all));
  plot.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.shiftKey) return;  // plain scrolling stays the page's
    event.preventDefault();
    around(valueAt(place(event)), (event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8);
  }, {passive: false});
  plot.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || xs.length === 0) return;
    const visible = xs.filter(x => x >= view[0] && x <= view[1]), center = cursor ?? (view[0] + view[1]) / 2;
    const move = by => {
      const list = visible.length ? visible : xs, at = list.indexOf(cursor);
      cursor = list[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by, 0), list.length - 1)];
    };
    if (event.key === "ArrowRight") move(1);
    else if (event.key === "ArrowLeft") move(-1);
    else if (event.key === "Home") cursor = (visible[0] ?? xs[0]);
    else if (event.key === "End") cursor = (visible[visible.length - 1] ?? xs[xs.length - 1]);
    else if (event.key === "+" || event.key === "=") around(center, 0.7);
    else if (event.key === "-") around(center, 1 / 0.7);
    else if (event.key === "0" || event.key === "Escape") zoom(all);
    else return;
    event.preventDefault();
    draw();
    tell();
  });
  new ResizeObserver(() => { if (plot.clientWidth && Math.max(plot.clientWidth, 240) !== width) draw(); }).observe(plot);
  draw();
};

for (const plot of document.querySelectorAll(".plot"))
  chart(plot, JSON.parse(plot.parentElement.querySelector("script").textContent));

for (const input of document.querySelectorAll(".matrix input")) {
  input.onchange = () => {
    for (const cell of input.closest(".matrix").querySelectorAll("tbody td")) {
      cell.dataset.raw ??= cell.textContent;
      cell.textContent = input.value === "raw" ? cell.dataset.raw : cell.dataset.share;
    }
  };
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead button").forEach((button, column) => {
    button.onclick = () => {
      const head = button.parentElement, body = table.tBodies[0];
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = row => row.cells[column].textContent.replace(/,/g, "");
      const order = (a, b) => isNaN(key(a)) || isNaN(key(b)) ? key(a).localeCompare(key(b)) : key(a) - key(b);
      body.append(...[...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)));
    };
  });
}
})();
)js";
}

}  // namespace fovea::report
