// The theme switch (system, light, dark), and menus that close when one clicks elsewhere.

const NEXT = { "": "light", light: "dark", dark: "" };
const WORDS = { "": "as the system's", light: "light", dark: "dark" };
const root = document.documentElement;

function show(button) {
  const words = `Theme: ${WORDS[root.dataset.theme || ""]}`;
  button.setAttribute("aria-label", words);
  button.title = words;
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  show(button);
  button.addEventListener("click", () => {
    const next = NEXT[root.dataset.theme || ""];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    try {
      if (next) localStorage.setItem("hostfence-theme", next);
      else localStorage.removeItem("hostfence-theme");
    } catch {
      // It holds for this page only.
    }
    show(button);
  });
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
