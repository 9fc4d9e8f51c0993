"use strict";
const slider = document.getElementById("depth");
const where = document.getElementById("where");
const headings = [...document.querySelectorAll(".strip thead tr")];

function show(depth) {
  slider.value = depth;
  document.querySelectorAll(".here").forEach((e) => e.classList.remove("here"));
  document.querySelectorAll(`[data-depth="${depth}"]`).forEach((e) => e.classList.add("here"));
  for (const section of document.querySelectorAll(".picture")) {
    for (const figure of section.querySelectorAll("figure[data-row]")) {
      const cell = section.querySelector(`td[data-row="${figure.dataset.row}"][data-depth="${depth}"]`);
      const small = cell.querySelector("img"), large = figure.querySelector("img");
      large.style.visibility = small ? "visible" : "hidden";
      if (small) { large.src = small.src; large.alt = small.alt; }
      figure.querySelector(".numbers").innerHTML = cell.querySelector(".detail").innerHTML;
    }
  }
  const heading = headings[0].querySelector(`th[data-depth="${depth}"]`);
  if (heading) where.innerHTML = heading.dataset.where;
  for (const marker of document.querySelectorAll(".marker")) {
    const x = JSON.parse(marker.dataset.x)[depth];
    marker.setAttribute("x1", x);
    marker.setAttribute("x2", x);
  }
}

slider.addEventListener("input", () => show(slider.value));
document.addEventListener("click", (event) => {
  const place = event.target.closest("[data-depth]");
  if (place) show(place.dataset.depth);
});
document.addEventListener("mouseover", (event) => {
  const cell = event.target.closest("td[data-depth]");
  if (cell && cell.dataset.depth !== slider.value) show(cell.dataset.depth);
});
document.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move || event.target === slider) return;
  show(Math.min(Number(slider.max), Math.max(0, Number(slider.value) + move)));
});
show(slider.value);
