// A person who types a value means to have one: tick the box. Without this script they tick it themselves.
document.addEventListener("input", (event) => {
  const box = event.target.closest?.(".own")?.querySelector("[data-own-switch]");
  if (box && event.target !== box) box.checked = true;
});
