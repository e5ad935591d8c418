// Where an incident's picture is wider than its box, it opens at the present; where somebody scrolled it to, it stays.

const opened = new WeakSet();
const PLACE = 0.85; // of the width beside the names: what was just seen is left of it

function open(box) {
  const present = box.querySelector(".picture-lanes .present");
  if (!present || opened.has(box)) return; // a closed incident has none: it is read from its beginning
  if (box.scrollWidth <= box.clientWidth) return;
  opened.add(box);
  const names = box.querySelector(".picture-names").getBoundingClientRect();
  const right = box.getBoundingClientRect().right;
  box.scrollLeft += present.getBoundingClientRect().left - names.right - (right - names.right) * PLACE;
}

function all() {
  document.querySelectorAll(".picture-box").forEach(open);
}

all();
document.addEventListener("htmx:afterSwap", all);
window.addEventListener("resize", all); // a telephone that is turned
