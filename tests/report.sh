#!/usr/bin/env bash
# Opens reports in headless Chromium: no script error, no request, every curve drawn, at desktop and phone width, light and
# dark. FOVEA_PROGRAM is the program; SHOTS=FOLDER keeps the screenshots. Exit 77, skipped, without Chromium.
set -euo pipefail

fovea=${FOVEA_PROGRAM:?the program to test}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
  echo "skipped: Chromium is missing (apt-get install chromium)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shots=${SHOTS:-$work/shots}
mkdir -p "$shots"
failed=0
say() {
  echo "report: $1"
  failed=1
}

# A run on images whose classes have hostile names, and an evaluation of its model.
cd "$work"
for class in '<img src=x onerror=alert(1)>' "'\"&amp;" plain; do
  mkdir -p "data/train/$class" "data/test/$class"
done
"$fovea" data samples discs --split train --count 60 --out all/ --quiet >list
i=0
for file in all/*.png; do
  split=train
  [ $((i % 4)) -eq 3 ] && split=test
  case $((i % 3)) in 0) class='<img src=x onerror=alert(1)>' ;; 1) class="'\"&amp;" ;; *) class=plain ;; esac
  mv "$file" "data/$split/$class/$i.png"
  i=$((i + 1))
done
train() {
  "$fovea" train --model small_cnn --data "folder:$work/data" --input 3x32x32 --epochs 3 --batch 8 --quiet --out "$1" \
    --augment flip:0.5 --lr "$2" >log 2>&1 || { cat log; exit 1; }
}
train one 0.01
train two 0.001
"$fovea" report one two --out both.html --quiet >/dev/null
"$fovea" eval --model one/best.safetensors --data "folder:$work/data" --report eval.html --quiet >/dev/null
"$fovea" train --model small_cnn --data "folder:$work/data" --input 3x32x32 --epochs 1 --batch 8 --quiet --out three --no-report >/dev/null 2>&1
[ ! -e three/report.html ] || say "--no-report wrote a report"

flags=(--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --user-data-dir="$work/profile"
  --host-resolver-rules="MAP * ~NOTFOUND" --virtual-time-budget=3000)  # the browser itself has nothing to ask either

# What a page asked the network in the log of a browser; what the browser asks has no origin.
requests() { grep -E '"initiator":"(null|file:)' "$work/net.json" | grep -oE '"url":"(https?|wss?):[^"]*"' || true; }

# open PAGE WIDTH SCHEME NAME: the screenshot, and what the page says and asks.
open() {
  local dark=1
  [ "$3" = dark ] && dark=0
  "$browser" "${flags[@]}" --enable-logging=stderr --log-net-log="$work/net.json" --window-size="$2,${HEIGHT:-4000}" \
    --blink-settings=preferredColorScheme=$dark --screenshot="$shots/$4-$2-$3.png" "file://$1" \
    >/dev/null 2>"$work/errors" || say "$4: Chromium failed"
  if grep CONSOLE "$work/errors"; then say "$4, $2 pixels, $3: the page logged something"; fi
  if [ -n "$(requests)" ]; then say "$4: the page asked the network: $(requests)"; fi
  [ -s "$shots/$4-$2-$3.png" ] || say "$4: no screenshot"
}
check() {
  local page=$1 name=$2
  [ "$(stat -c %s "$page")" -lt 3000000 ] || say "$name: above 3 MB"
  if grep -qE '(src|href)="(https?:|//)' "$page"; then say "$name: refers to another host"; fi
  if grep -q '<img src=x' "$page"; then say "$name: a class name became markup"; fi
  if grep '<img' "$page" | grep -vq 'alt="[^"]'; then say "$name: a picture without text"; fi
  open "$page" 1280 light "$name"
  open "$page" 1280 dark "$name"
  open "$page" 500 light "$name"  # the narrowest window that Chromium opens
  open "$page" 500 dark "$name"
  "$browser" "${flags[@]}" --dump-dom "file://$page" >"$work/dom" 2>/dev/null
  local plots drawn
  plots=$(grep -c 'class="plot"' "$work/dom" || true)
  drawn=$(grep -oE 'data-drawn="[1-9][0-9]*"' "$work/dom" | wc -l)
  [ "$plots" -gt 0 ] && [ "$plots" -eq "$drawn" ] || say "$name: $drawn of $plots charts are drawn"
  [ "$(grep -o '<path class="line"' "$work/dom" | wc -l)" -ge "$plots" ] || say "$name: curves are missing"
}

# What is looked for can be found: a page that asks, and one whose script fails.
echo '<!DOCTYPE html><img src="http://host.invalid/a.png"><script>missing()</script>' >bad.html
(say() { :; }; open "$work/bad.html" 1280 light bad >/dev/null)
[ -n "$(requests)" ] || say "a request of a page is not noticed"
grep -q CONSOLE "$work/errors" || say "an error of a script is not noticed"

check "$work/one/report.html" run
check "$work/both.html" runs
check "$work/eval.html" eval

# Curves are read and zoomed by keyboard, the matrix shows percents, and tables are sorted.
cp one/report.html used.html
cat >>used.html <<'PAGE'
<script>
const plot = document.querySelector(".plot"), press = key => plot.dispatchEvent(new KeyboardEvent("keydown", {key}));
press("ArrowRight");
press("+");
const readout = plot.parentElement.querySelector(".readout").textContent;
document.querySelector(".matrix input[value=share]").click();
document.querySelector("table.sortable thead button").click();
const heading = document.querySelector("table.sortable th[aria-sort]");
document.title = `used: ${readout}; ${[...document.querySelectorAll(".matrix tbody td")].some(c => c.textContent.includes("."))};` +
  ` ${heading && heading.getAttribute("aria-sort")}`;
</script>
PAGE
"$browser" "${flags[@]}" --dump-dom "file://$work/used.html" >"$work/dom" 2>/dev/null
title=$(grep -oE '<title>used:[^<]*' "$work/dom" || true)
[[ "$title" =~ "used: epoch 1"[a-z\ ]*loss.*"; true; ascending" ]] || say "keyboard, matrix or tables do not work: $title"
[ $failed -eq 0 ] && echo "report: three pages, no error, no request, all curves drawn"
exit $failed
