// Before anything is drawn: the theme that was chosen here, else the system's.
(function () {
  "use strict";
  try {
    var chosen = localStorage.getItem("hostfence-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (e) {
    // A frame whose storage the browser keeps from it: as the system's.
  }
})();
