// Finds hosts on a page that shows them all: by words in data-find, each of which must be there; and trouble only.

function words(input) {
  return input.value.toLowerCase().split(/\s+/).filter(Boolean);
}

function apply(input) {
  const area = document.querySelector(input.dataset.filter);
  const only = document.querySelector("[data-filter-only]");
  if (!area) return;
  const wanted = words(input);
  const hidden = only && only.checked ? only.dataset.filterOnly : "";
  let shown = 0;
  let all = 0;
  for (const item of area.querySelectorAll("[data-find]")) {
    const fits = wanted.every((word) => item.dataset.find.includes(word)) && !(hidden && item.classList.contains(hidden));
    item.hidden = !fits;
    all += 1;
    shown += fits;
  }
  const filtering = wanted.length > 0 || hidden !== "";
  for (const group of area.querySelectorAll("[data-group]")) {
    group.hidden = filtering && !group.querySelector("[data-find]:not([hidden])");
  }
  const count = document.querySelector(input.dataset.filterCount);
  if (count) count.value = filtering ? `${shown} of ${all}` : "";
}

function applyAll() {
  for (const input of document.querySelectorAll("[data-filter]")) apply(input);
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter], [data-filter-only]")) applyAll();
});
document.addEventListener("htmx:afterSwap", applyAll);
document.addEventListener("keydown", (event) => {
  const input = document.querySelector("[data-filter]");
  if (event.key === "/" && input && !event.target.closest("input, textarea, select, dialog")) {
    event.preventDefault();
    input.focus();
  }
});
applyAll();
