#include "fovea/report/html.h"

namespace fovea::report {

std::string_view style() {
  return R"css(
:root{color-scheme:light dark;--ground:#fff;--card:#f6f7f9;--ink:#1d2127;--faint:#5b636e;--rule:#dde1e6;--accent:#0b62b8;
  --cell:11,98,184;--cell-ink:#fff;--warn:#fff5d6;--warn-ink:#5c4400}
@media (prefers-color-scheme:dark){:root{--ground:#14171b;--card:#1d2126;--ink:#e6e9ed;--faint:#9aa4b0;--rule:#333a42;
  --accent:#74b3f5;--cell:90,165,240;--cell-ink:#0c1116;--warn:#3a300f;--warn-ink:#f2dc9a}
  .line{filter:brightness(1.25)}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:72rem;padding:0 1.25rem 4rem;background:var(--ground);color:var(--ink);
  font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{padding:2rem 0 .5rem}
h1{font-size:1.75rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
header p{margin:.25rem 0 0;color:var(--faint);overflow-wrap:anywhere}
.divider{font-size:1.5rem;font-weight:700;margin:3.5rem 0 0;padding-top:1rem;border-top:3px solid var(--rule);overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem;padding-top:.5rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.5rem 0;max-width:48rem}
a{color:var(--accent)}
a:focus-visible,button:focus-visible,summary:focus-visible,[tabindex]:focus-visible,input:focus-visible{
  outline:2px solid var(--accent);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--ground);padding:.25rem .5rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:.75rem 0 0;padding:0;font-size:.9rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}
.tiles div{background:var(--card);border-radius:.5rem;padding:.6rem .85rem}
.tiles dt{color:var(--faint);font-size:.8rem}
.tiles dd{margin:0;font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.2rem 1.25rem;margin:.5rem 0;max-width:60rem}
.facts dt{color:var(--faint)}
.facts dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto;max-width:100%;margin:.25rem 0 1.25rem}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--faint);padding-bottom:.35rem}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th.text,td.text,tbody th{text-align:left;font-weight:400}
thead th,thead th.text{font-weight:600}
th button{all:unset;cursor:pointer;font-weight:600}
th button:focus-visible{outline:2px solid var(--accent)}
th[aria-sort=ascending] button::after{content:" \2191"}
th[aria-sort=descending] button::after{content:" \2193"}
pre{background:var(--card);border-radius:.5rem;padding:.75rem 1rem;overflow-x:auto;font-size:.85rem;line-height:1.45}
.note{background:var(--warn);color:var(--warn-ink);border-radius:.5rem;padding:.5rem .85rem}
details{margin:.75rem 0}
summary{cursor:pointer;color:var(--accent)}
figure{margin:.75rem 0}
img{max-width:100%;height:auto;image-rendering:pixelated;border-radius:.25rem;background:#fff}
figcaption{font-size:.85rem;color:var(--faint);overflow-wrap:anywhere}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(12rem,1fr));gap:1rem;margin:1rem 0}
.gallery figure{margin:0}
.gallery img{width:100%}
.gallery.large{grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr))}
.gallery.large img{width:auto}
section>.chart{max-width:36rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1rem;margin:.75rem 0}
.charts .chart{margin:0;min-width:0}
.chart{background:var(--card);border-radius:.5rem;padding:.75rem 1rem}
.chart strong{color:var(--ink)}
.plot{touch-action:pan-y;position:relative;margin-top:.5rem}
.plot svg{display:block;width:100%;height:auto;font-size:12px;user-select:none;cursor:crosshair}
.plot text{fill:var(--faint)}
.plot .grid{stroke:var(--rule)}
.plot .axis{stroke:var(--faint)}
.plot .cursor{stroke:var(--faint);stroke-dasharray:3 3}
.plot .select{fill:var(--accent);opacity:.15}
.readout{min-height:1.5em;font-size:.85rem;font-variant-numeric:tabular-nums;margin:.25rem 0}
.key{display:inline-block;width:1em;border-top:3px solid;margin:0 .35em .25em .75em}
.key.dashed{border-top-style:dashed}
.tools{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;font-size:.85rem}
.tools button,.switch label{font:inherit}
.tools button{border:1px solid var(--rule);border-radius:.35rem;background:var(--ground);color:var(--ink);
  padding:.15rem .6rem;cursor:pointer}
.matrix table{border-collapse:separate;border-spacing:2px}
.matrix th,.matrix td{border:0}
.matrix thead th{vertical-align:bottom;padding:.25rem .1rem;text-align:center}
.matrix thead span{writing-mode:vertical-rl;transform:rotate(180deg);display:inline-block;max-height:9rem;overflow:hidden}
.matrix tbody td{background:rgba(var(--cell),var(--share));text-align:center;min-width:2.75rem;border-radius:.2rem}
.matrix td.full{color:var(--cell-ink)}
@media (prefers-color-scheme:dark){.matrix td.half{color:var(--cell-ink)}}
.switch{border:0;padding:0;margin:.5rem 0;display:flex;gap:1rem;flex-wrap:wrap}
.switch legend{float:left;padding:0;font-weight:600;margin-right:1rem}
footer{margin-top:3rem;color:var(--faint);font-size:.85rem}
@media (max-width:40rem){body{padding:0 .85rem 3rem}.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:.4rem}
  h1{font-size:1.4rem}.gallery{grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.6rem}
  .chart{padding:.5rem .6rem}}
@media print{nav,.tools,.skip{display:none}details{display:block}}
)css";
}

}  // namespace fovea::report
